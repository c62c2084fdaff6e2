"""Attention over the edges of a graph: each node attends to its neighbours."""
