"""Attention whose logits flow between neighbouring keys first."""
