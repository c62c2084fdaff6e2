"""Rows that are sets of vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .arrays import BLOCK_BYTES, F32, F64, Checkpoint, Rows
from .problem import Options


@dataclass(frozen=True)
class VectorSets:
    """n sets of vectors, none empty: vectors (T, p), one set after the other.

    bounds (n + 1,): set j is bounds[j]:bounds[j+1].
    """

    vectors: F32
    bounds: Rows

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def take(self, rows: Rows) -> VectorSets:
        """The sets at these indexes."""
        counts = np.diff(self.bounds)[rows]
        bounds = np.concatenate(([0], np.cumsum(counts)))
        places = np.repeat(self.bounds[rows] - bounds[:-1], counts) + np.arange(bounds[-1])
        return VectorSets(self.vectors[places], bounds)

    def blocks(self) -> Iterator[tuple[slice, VectorSets]]:
        """Consecutive sets, as many as stay in the cache together, with the indexes that they have."""
        longest = max(1, BLOCK_BYTES // (self.vectors.itemsize * self.vectors.shape[1]))
        start = 0
        while start < len(self):
            limit = self.bounds[start] + longest
            stop = max(start + 1, int(np.searchsorted(self.bounds, limit, side="right")) - 1)
            first, last = self.bounds[start], self.bounds[stop]
            part = self.bounds[start : stop + 1] - first
            yield slice(start, stop), VectorSets(self.vectors[first:last], part)
            start = stop


@dataclass(frozen=True)
class SetProblem:
    """A set of query vectors (t, p) before all rows, checked; at least one row; normaliser (1,) or None."""

    queries: F64
    sets: VectorSets
    temperature: float
    options: Options
    normaliser: F64 | None
    checkpoint: Checkpoint
