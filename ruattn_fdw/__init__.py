"""Attention as foreign tables in PostgreSQL."""

__version__ = "0.2.0"
