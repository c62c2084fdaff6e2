"""Twins of the mechanisms over graphs: float64, as their formulas read."""

from __future__ import annotations

import numpy as np
from twins import Expected, softmax_over_heads


def gat_over_keys(query, keys, weights, slope=0.2, temperature=1.0) -> Expected:
    """Every key a neighbour of the query, under projection (d, H, F'), source and target (H, F')."""
    query, keys = np.asarray(query, np.float64), np.asarray(keys, np.float64)
    logits = []
    for head in range(len(weights.source)):
        projection = weights.projection[:, head]
        h_i = query @ projection
        scores = []
        for key in keys:
            e = weights.source[head] @ (key @ projection) + weights.target[head] @ h_i
            scores.append((e if e > 0 else slope * e) / temperature)
        logits.append(np.array(scores))
    return softmax_over_heads(logits)
