"""Logits of one query with keys in fewer bits, and how far each can be off."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F32, F64, MAX32, TINY32, Checkpoint, Floats, Rows, head_dots, spans
from .codes import CODES, LARGEST, LENGTH, PEAKS, SCALE, Arrays, rounded_up

_SHORTEST = 32
"""The narrowest products at the speed of BLAS."""


class TooManyError(Exception):
    """Too many exact keys would be needed to prove the answer: it is to be had from float32 keys."""


class Bound:
    """How far approximate logits of a query (H, w), scaled as logits are, can be off.

    With the residual r of a row, |<q, r>| <= |q|_1 max|r| and <= |q|_2 |r|_2 (Hoelder). What float32 adds is
    at most (m + 16) u |q|_1 max|s c|, where a term goes through m sums (Higham, ASNA section 3.1): 16 for
    rounding the query, the factors, these bounds and sums with them.
    """

    def __init__(self, query: F64, arrays: Arrays) -> None:
        peak = PEAKS[arrays[CODES].dtype.name]
        self._query, self._sum = query, np.abs(query).sum(axis=1)
        self._length = np.sqrt((query * query).sum(axis=1))
        self._rounding = self._sum * (peak * (sum(_parts(query.shape[1])) + 16) * EPS32)
        self._underflow = np.float32(query.shape[1] * TINY32)
        self._arrays, self._peak = arrays, peak

    def of_residuals(self, rows: Rows | slice) -> F32:
        """(H, c): how much the residuals of stored rows can add to their logits."""
        by_largest = np.outer(_up(self._sum), self._arrays[LARGEST][rows])
        by_length = np.outer(_up(self._length), self._arrays[LENGTH][rows])
        bound: F32 = np.minimum(by_largest, by_length, out=by_largest)
        return bound

    def of_rounding(self, rows: Rows | slice) -> F32:
        """(H, c): how much float32 can add to them."""
        bound: F32 = np.outer(_up(self._rounding), self._arrays[SCALE][rows]) + self._underflow
        return bound

    def coded_logits(self, rows: Rows | slice) -> F64:
        """(H, c): logits in float64 of what the codes stand for."""
        codes = self._arrays[CODES][rows].astype(np.float64)
        out = np.empty((len(self._query), len(codes)))
        head_dots(self._query, codes * self._arrays[SCALE][rows].astype(np.float64)[:, None], out)
        return out

    def of_float64(self, rows: Rows | slice) -> F64:
        """(H,): how much rounding in float64 can add to sums of logits and of what residuals add to them."""
        terms = len(self._arrays[SCALE][rows]) + self._query.shape[1] + 8
        return np.asarray(
            terms * np.finfo(np.float64).eps * self.reach(rows) * len(self._arrays[SCALE][rows])
        )

    def reach(self, rows: Rows | slice) -> float:
        """A bound on any of these logits, and on the partial sums of each."""
        scale, largest = (float(self._arrays[name][rows].max(initial=0)) for name in (SCALE, LARGEST))
        return float(self._sum.max()) * (scale * self._peak + largest)

    def of_float32(self, rows: Rows | slice) -> float:
        """A bound on what float32 keys' logits would be off."""
        return float(self.reach(rows) * (self._query.shape[1] + 16) * EPS32)


def _up(values: F64) -> F32:
    """Rounded up, and for the rounding of a product."""
    return rounded_up(values * (1 + 8 * EPS32))


def approximate_logits(query: F64, arrays: Arrays, rows: Rows | slice, checkpoint: Checkpoint) -> F32:
    """Logits (H, n) of a query (H, w) with the stored rows, converted block by block in the cache."""
    scale = arrays[SCALE][rows]
    out = np.empty((len(query), len(scale)), np.float32)
    exponent = int(np.frexp(np.abs(query).max(initial=0))[1])
    unit = np.ldexp(query, -exponent).astype(np.float32)
    codes, (parts, width) = arrays[CODES], _parts(query.shape[1])
    unit = unit.reshape(len(query) * parts, width)
    for span in spans(len(scale), 4 * codes.shape[1]):
        block = codes[span] if isinstance(rows, slice) else codes[rows[span]]
        dots = np.empty((len(unit), len(block)), np.float32)
        head_dots(unit, block.astype(np.float32), dots)
        part = np.add.reduce(dots.reshape(len(query), parts, -1), axis=1, out=out[:, span])
        part *= np.ldexp(scale[span].astype(np.float64), exponent).astype(np.float32)
        checkpoint()
    return out


def _parts(width: int) -> tuple[int, int]:
    """(number of parts, their width) to sum products of slices in, so that no term goes through many sums."""
    return min(((parts, width // parts) for parts in range(1, width + 1) if width % parts == 0), key=_sums)


def _sums(parts: tuple[int, int]) -> int:
    """Sums that a term goes through; short products are slow."""
    return sum(parts) if parts[1] >= _SHORTEST else sum(parts) + 10**6


def refuse_overflow(bound: Bound, rows: Rows | slice) -> None:
    """Raise TooManyError where a logit, or a sum on the way to it, may overflow float32."""
    if not bound.reach(rows) < MAX32 / 4:
        raise TooManyError("logits near the end of the range of float32")


def blocks(logits: Floats) -> list[slice]:
    """Slices of logits (H, n) that some arrays of their shape fit into the cache for."""
    return list(spans(logits.shape[1], 24 * len(logits)))
