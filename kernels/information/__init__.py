"""Attention by a budget of information, and by the geometry of distributions."""
