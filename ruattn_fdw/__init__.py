"""Attention as foreign tables in PostgreSQL."""

__version__ = "0.1.0"
