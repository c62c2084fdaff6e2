"""Logits of one query with keys in fewer bits, and how far each can be off."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F32, F64, MAX32, TINY32, Floats, Present
from ..sweep import before_keys
from .codes import Level, rounded_up


class TooManyError(Exception):
    """Too many exact keys would be needed to prove the answer: it is to be had from float32 keys."""


class Bound:
    """How far approximate logits of a query (H, w), scaled as logits are, can be off.

    With the residual r of a row, |<q, r>| <= |q|_1 max|r| and <= |q|_2 |r|_2 (Hoelder). What float32 adds is
    at most (m + 16) u |q|_1 max|s c|, where a term goes through m = w/4 + 8 sums in 4 lanes or more (Higham,
    ASNA section 3.1): 16 for rounding the query, the factors, these bounds and sums with them. Before
    integers an element of the query is half of its unit off.

    query, level, before: what it is of. lengths (H,): of the query's slices. rounding (H,): what float32
    adds, by the scale of a key.
    factors (H, 2): what the largest element and the length of a residual are multiplied by.
    """

    def __init__(self, query: F64, level: Level) -> None:
        width, peak = query.shape[1], level.peak
        self.query, self.level, self._sum = query, level, np.abs(query).sum(axis=1)
        self.before = before_keys(query, level.values, level.scale)
        self.lengths: F64 = np.sqrt((query * query).sum(axis=1))
        in_float32 = self._sum * (peak * (width // 4 + 24) * EPS32)
        self.rounding: F64 = in_float32 + self.before.off * (peak * width * (1 + 2**-16))
        # rounded up, and for the rounding of products with them
        up = rounded_up(np.array([self._sum, self.lengths, self.rounding]) * (1 + 8 * EPS32))
        self.factors: F32 = np.ascontiguousarray(up[:2].T)
        self._rounding_up = up[2]
        self._underflow = np.float32(width * TINY32)

    def of_residuals(self, rows: Present | slice) -> F32:
        """(H, c): how much the residuals of stored rows can add to their logits."""
        by_largest = self.factors[:, :1] * self.level.largest[rows]
        by_length = self.factors[:, 1:] * self.level.length[rows]
        bound: F32 = np.minimum(by_largest, by_length, out=by_largest)
        return bound

    def of_rounding(self, rows: Present | slice) -> F32:
        """(H, c): how much float32 can add to them."""
        bound: F32 = self._rounding_up[:, None] * self.level.scale[rows] + self._underflow
        return bound

    def of_scores(self, weights: Floats, rows: Present) -> F64:
        """The largest mean over the heads (c,) that the weights (H, c) of stored rows may have.

        By the bounds of each head; or of all together, which share a residual: with |x_h| <= |q_h| |r_h|, and
        e^x - 1 <= x (e^b - 1) / b up to the bound b, their sum grows by no more than |r| times the length of
        the vector of |q_h| weight_h (e^b - 1) / b.
        """
        bounds = self.of_residuals(rows).astype(np.float64)
        slopes = weights * np.where(bounds > 0, np.expm1(bounds) / bounds, 1) * self.factors[:, 1:]
        together = self.level.length[rows] * np.sqrt((slopes * slopes).sum(axis=0))
        by_heads = (weights * np.exp(bounds)).sum(axis=0)
        result: F64 = np.minimum(by_heads, weights.sum(axis=0) + together) / len(weights)
        return result

    def of_residual(self, largest: float, length: float) -> F64:
        """(H,): how much residuals can add of which that is the largest element, and that the length."""
        return np.asarray(np.minimum(self._sum * largest, self.lengths * length), np.float64)

    def reach(self, scale: float, largest: float) -> float:
        """A bound on the logits, and on the partial sums of each, of keys of such scales and residuals.

        Raises TooManyError where float32 might not hold them.
        """
        reach = float(self._sum.max()) * (scale * self.level.peak + largest)
        if not reach < MAX32 / 4:
            raise TooManyError("logits near the end of the range of float32")
        return reach

    def of_float32(self, reach: float) -> float:
        """A bound on what float32 keys' logits within `reach` would be off."""
        return float(reach * (self.query.shape[1] + 16) * EPS32)
