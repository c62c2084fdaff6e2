"""Learned models of whole texts."""
