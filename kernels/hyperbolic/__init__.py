"""Attention by distances in hyperbolic space, whose curvature everywhere is -c with c = |curvature| > 0."""
