"""Edges as pairs (centre, neighbour) of node indexes, and the softmax of each centre over its neighbours."""

from __future__ import annotations

import numpy as np

from ..arrays import F64, Rows


def distinct_pairs(centres: Rows, neighbours: Rows, loops: Rows) -> tuple[Rows, Rows]:
    """The pairs (E,) by centre and neighbour, each once, with (i, i) for every index i of `loops` added."""
    pairs = np.stack([np.concatenate([centres, loops]), np.concatenate([neighbours, loops])])
    order = np.lexsort(pairs[::-1])
    pairs = pairs[:, order]
    fresh = np.ones(pairs.shape[1], bool)
    fresh[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return pairs[0, fresh], pairs[1, fresh]


def softmax_by_centre(logits: F64, centres: Rows) -> F64:
    """Weights (E, H) of logits (E, H) over the edges of each centre; centres (E,) ascend."""
    if not len(centres):
        return logits
    starts = np.flatnonzero(np.diff(centres, prepend=centres[0] - 1))
    counts = np.diff(starts, append=len(centres))
    weights: F64 = np.exp(logits - np.repeat(np.maximum.reduceat(logits, starts), counts, axis=0))
    weights /= np.repeat(np.add.reduceat(weights, starts), counts, axis=0)
    return weights
