"""Dot-product attention and its exact variants."""
