"""Scaled dot products of one query's heads with keys, shared by the mechanisms of this family."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import (
    EPS32,
    F32,
    F64,
    TINY32,
    Checkpoint,
    Floats,
    Present,
    Rows,
    by_rows,
    head_dots,
    head_dots_and_squares,
)
from ..keyset import KeySet
from ..mechanism import Features
from ..native import dots
from ..problem import Options

AT_ONCE = 4096
"""Keys between two checkpoints, some milliseconds of products."""


class DotScorer:
    """Logits `factor` * <query slice, key slice>."""

    def __init__(self, query: F64, factor: float, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._query: Floats = (query * factor).astype(dtype)
        length = float(np.sqrt((query * query).sum(axis=1)).max()) * abs(factor)
        self._rounding = np.float32(np.clip((query.shape[1] + 4) * EPS32 * length, TINY32, 3e38))
        self._scored: tuple[Floats, F32] | None = None

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        if keys.dtype == np.float32:
            self._scored = keys, head_dots_and_squares(self._query, keys, out)
        else:
            head_dots(self._query, keys, out)

    def rounding(self, keys: Floats) -> Floats:
        """|error| <= terms * u * ||q|| ||k|| (Higham, ASNA section 3.1) and the query's own rounding.

        The norm of a whole key bounds that of its slices; squares too small for float32 are made up for.
        """
        if self._scored is not None and self._scored[0] is keys:
            squares = self._scored[1]
        else:
            squares = np.einsum("ij,ij->i", keys, keys)
        bound: Floats = np.sqrt(squares + np.float32(keys.shape[1] * TINY32))
        bound *= self._rounding
        return bound


def dot_scorer(query: F64, temperature: float, options: Options, dtype: type) -> DotScorer:
    """Dot products over sqrt(d/H), or times the option `scale` where the mechanism has it and it is given."""
    return DotScorer(query, dot_factor(query.shape[1], temperature, options), dtype)


def dot_factor(width: int, temperature: float, options: Options) -> float:
    """What the dot product of a query's slice (width,) and a key's is multiplied by."""
    scale = options.get("scale")
    return float((1 / math.sqrt(width) if scale is None else scale) / temperature)


def _scaled(slices: F64, temperature: float, options: Options) -> F64:
    return slices * dot_factor(slices.shape[-1], temperature, options)


def _as_they_are(slices: Floats, temperature: float, options: Options) -> Floats:
    return slices


DOT_FEATURES = Features(_scaled, _as_they_are)


def exact_dots(scaled: F64, keys: KeySet, rows: Rows | None, checkpoint: Checkpoint) -> F64:
    """float64 logits (H, c) of keys at indexes (c,), None for all; scaled: the query (H, w)."""
    if keys.present is not None:
        places: Present | None = keys.present if rows is None else keys.present[rows]
    else:
        places = rows
    stored = by_rows(keys.stored)
    logits = np.empty((len(scaled), len(stored) if places is None else len(places)))
    for first in range(0, logits.shape[1], AT_ONCE):
        part = slice(first, first + AT_ONCE)
        if places is None:
            dots.exact_dots(scaled, stored[part], None, logits[:, part])
        else:
            dots.exact_dots(scaled, stored, places[None, part].astype(np.int64, copy=False), logits[:, part])
        checkpoint()
    return logits
