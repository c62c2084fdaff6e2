"""Attention by feature maps, whose cost grows linearly with the number of keys."""
