"""Walks over a graph, whose steps are all keys' or only those to near keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..arrays import F64, Checkpoint, Rows, spans

Step = Callable[[F64, Checkpoint], F64]
"""A state (n, H) -> what one step makes of it."""

LONGEST_WALK = 400.0
"""Time that walks are followed in one go: exp(-t) must be a number, and t + 10 sqrt(t) + 10 steps few."""


def walked(logits: F64, step: Step, t: float, checkpoint: Checkpoint) -> F64:
    """exp(-t (I - P)) of logits (H, n): the mean over walks, their number of steps drawn from Poisson(t)."""
    pieces = max(1, math.ceil(t / LONGEST_WALK))
    state: F64 = logits.T
    for _ in range(pieces):
        state = _walked(state, step, t / pieces, checkpoint)
    result: F64 = state.T
    return result


def _walked(state: F64, step: Step, t: float, checkpoint: Checkpoint) -> F64:
    share = math.exp(-t)
    total: F64 = share * state
    for count in range(1, math.ceil(t + 10 * math.sqrt(t)) + 10):
        state, share = step(state, checkpoint), share * t / count
        total += share * state
        checkpoint()
    return total


class SparseMatrix:
    """A matrix (n, n) by some of its elements, those of the diagonal among them."""

    def __init__(self, parts: Sequence[tuple[Rows, Rows, F64]], checkpoint: Checkpoint) -> None:
        """The rows in parts: how many elements each has, and columns and values of these, row by row."""
        counts = np.concatenate([part[0] for part in parts])
        self._bounds = np.append(0, np.cumsum(counts))
        self._columns, self._values = np.empty(self._bounds[-1], np.intp), np.empty(self._bounds[-1])
        start = 0
        for _, columns, values in parts:
            some = slice(start, start + len(columns))
            self._columns[some], self._values[some] = columns, values
            start = some.stop
            checkpoint()

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def times(self, state: F64, checkpoint: Checkpoint) -> F64:
        """The product with a state (n, H)."""
        result = np.empty(state.shape)
        for head, vector in enumerate(np.ascontiguousarray(state.T)):
            for span, some in self._pieces():
                products = vector[self._columns[some]]
                products *= self._values[some]
                result[span, head] = np.add.reduceat(products, self._bounds[span] - some.start)
                checkpoint()
        return result

    def scale(self, left: F64, right: F64, diagonal: F64, checkpoint: Checkpoint) -> None:
        """Multiply rows by left (n,) and columns by right (n,), and put the last (n,) on the diagonal."""
        for span, some in self._pieces():
            counts = np.diff(self._bounds[span.start : span.stop + 1])
            rows, columns = np.repeat(np.arange(span.start, span.stop), counts), self._columns[some]
            scaled = self._values[some] * left[rows] * right[columns]
            self._values[some] = np.where(rows == columns, diagonal[rows], scaled)
            checkpoint()

    def _pieces(self) -> Iterator[tuple[slice, slice]]:
        """Some rows, and where their elements are."""
        for span in spans(len(self), 8 * len(self._columns) // len(self)):
            yield span, slice(int(self._bounds[span.start]), int(self._bounds[span.stop]))
