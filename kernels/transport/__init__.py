"""Attention by what it costs to move one set of vectors, or one table, onto another."""
