"""Logits of one query with keys in fewer bits, and how far each can be off."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Rows, head_dots
from ..sweep import units
from .codes import CODES, LARGEST, LENGTH, PEAKS, SCALE, Arrays, rounded_up


class TooManyError(Exception):
    """Too many exact keys would be needed to prove the answer: it is to be had from float32 keys."""


class Bound:
    """How far approximate logits of a query (H, w), scaled as logits are, can be off.

    With the residual r of a row, |<q, r>| <= |q|_1 max|r| and <= |q|_2 |r|_2 (Hoelder). What float32 adds is
    at most (m + 16) u |q|_1 max|s c|, where a term goes through m = w/4 + 8 sums in 4 lanes or more (Higham,
    ASNA section 3.1): 16 for rounding the query, the factors, these bounds and sums with them. Before int8
    keys an element of the query is half of its unit off.

    lengths (H,): of the query's slices. rounding (H,): what float32 adds, by the scale of a key.
    factors (H, 2): what the largest element and the length of a residual are multiplied by.
    """

    def __init__(self, query: F64, arrays: Arrays) -> None:
        dtype, width = arrays[CODES].dtype.name, query.shape[1]
        peak = PEAKS[dtype]
        self._query, self._sum = query, np.abs(query).sum(axis=1)
        self.lengths: F64 = np.sqrt((query * query).sum(axis=1))
        self.rounding = self._sum * (peak * (width // 4 + 24) * EPS32)
        if dtype == "int8":
            self.rounding += units(query) * (peak * width / 2 * (1 + 2**-16))
        self.factors: F32 = np.stack([_up(self._sum), _up(self.lengths)], axis=1)
        self._rounding_up = _up(self.rounding)
        self._underflow = np.float32(width * TINY32)
        self._arrays, self._peak = arrays, peak

    def of_residuals(self, rows: Rows | slice) -> F32:
        """(H, c): how much the residuals of stored rows can add to their logits."""
        by_largest = np.outer(self.factors[:, 0], self._arrays[LARGEST][rows])
        by_length = np.outer(self.factors[:, 1], self._arrays[LENGTH][rows])
        bound: F32 = np.minimum(by_largest, by_length, out=by_largest)
        return bound

    def of_rounding(self, rows: Rows | slice) -> F32:
        """(H, c): how much float32 can add to them."""
        bound: F32 = np.outer(self._rounding_up, self._arrays[SCALE][rows]) + self._underflow
        return bound

    def of_any_head(self, rows: Rows | slice) -> F32:
        """(c,): no less than the bound of any head on all that can be off."""
        by_largest, by_length = self.factors.max(axis=0)
        by_scale = self._rounding_up.max()
        residuals = np.minimum(
            by_largest * self._arrays[LARGEST][rows], by_length * self._arrays[LENGTH][rows]
        )
        bound: F32 = residuals + by_scale * self._arrays[SCALE][rows] + self._underflow
        return bound

    def of_residual(self, largest: float, length: float) -> F64:
        """(H,): how much residuals can add of which that is the largest element, and that the length."""
        return np.asarray(np.minimum(self._sum * largest, self.lengths * length), np.float64)

    def reach(self, rows: Rows | slice) -> float:
        """A bound on any of these logits, and on the partial sums of each."""
        scale, largest = (float(self._arrays[name][rows].max(initial=0)) for name in (SCALE, LARGEST))
        return float(self._sum.max()) * (scale * self._peak + largest)

    def of_float32(self, reach: float) -> float:
        """A bound on what float32 keys' logits within `reach` would be off."""
        return float(reach * (self._query.shape[1] + 16) * EPS32)


def _up(values: F64) -> F32:
    """Rounded up, and for the rounding of a product."""
    return rounded_up(values * (1 + 8 * EPS32))


def coded_logits(query: F64, arrays: Arrays, rows: Rows) -> F64:
    """Logits (H, c) of a query (H, w) with what the codes of these stored rows stand for."""
    keys = arrays[CODES][rows].astype(np.float32) * arrays[SCALE][rows][:, None]
    out = np.empty((len(query), len(rows)), np.float32)
    head_dots(query.astype(np.float32), keys, out)
    return out.astype(np.float64)
