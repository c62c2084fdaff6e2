"""Exact answers from keys in fewer bits: approximate logits with a proven bound, and few exact keys."""
