"""Mixtures of experts: a gate sends each vector to a few of them."""
