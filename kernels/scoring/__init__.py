"""Mechanisms that differ from scaled dot-product attention in how a pair is scored."""
