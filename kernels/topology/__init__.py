"""Attention that goes by the shape of the set of keys."""
