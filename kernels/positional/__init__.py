"""Mechanisms whose logits depend on how far apart query and key stand."""
