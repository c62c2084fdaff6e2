"""Attention weights from implementations that are not ours; one module for each group of mechanisms."""
