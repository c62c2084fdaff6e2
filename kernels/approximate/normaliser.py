"""The softmax over all keys from approximate logits, with a bound on how far its logarithm can be off.

With logits l = a + x, where a is known and |x| <= b, exp(x) = 1 + x + x^2 exp(t x) / 2 for a t in (0, 1).
So sum_j exp(l_j) = sum_j p_j (1 + x_j) + at most sum_j p_j b_j^2 exp(b_j) / 2, where p_j = exp(a_j). The
first order is the larger error by far. Of it sum_j x_j is known where the sum of all residuals is, so that
for any m only sum_j (p_j - m) x_j is left: next to nothing where a high temperature makes all p_j alike.
"""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Rows
from ..softmax import State, merge
from .codes import ResidualSum
from .estimate import Bound, TooManyError, blocks

TOLERANCE = 5e-6
"""How far a log-sum-exp may be off."""

_SAMPLE = 1024
"""Rows whose median weight stands for what most rows weigh."""

_EXP_ERROR = 8 * EPS32
"""Relative error of exp in float32, and of the products with it."""

_FAR = 80.0
"""Logits so far above the maximum end any hope of a bound, and float32 holds their exponentials."""


class Normaliser:
    """Sums of exp(logit - maximum) in each head, over keys of which some become known exactly."""

    def __init__(
        self,
        query: F64,
        logits: F32,
        bound: Bound,
        present: Rows | slice,
        residuals: ResidualSum | None,
        checkpoint: Checkpoint,
    ) -> None:
        """query (H, w) scaled as logits are; logits (H, n) of the stored rows `present`."""
        self._logits, self._bound, self._present, self._checkpoint = logits, bound, present, checkpoint
        self._maximum = logits.max(axis=1).astype(np.float64)
        self.weights, first, rest = self._terms()
        self._known, self._unread = over_nothing(len(logits)), np.ones(logits.shape[1], bool)
        self._spare, self._correction, self._mean = (np.zeros(len(logits)) for _ in range(3))
        self._covered = np.zeros(logits.shape[1], bool)
        if residuals is not None and residuals.rows:
            self._cancel(query, first, residuals)
        self._error = np.abs(self.weights - np.outer(self._mean.astype(np.float32), self._covered))
        self._error *= first
        self._error += rest

    def learn(self, rows: Rows, exact: F64) -> None:
        """Take the float64 logits (H, c) of rows that were not known before."""
        if not len(rows):
            return
        maximum = exact.max(axis=1)
        read = State(maximum, np.exp(exact - maximum[:, None]).sum(axis=1))
        self._known, self._unread[rows] = merge(self._known, read), False
        covered = rows[self._covered[rows]]
        if len(covered):
            found = exact[:, self._covered[rows]] - self._bound.coded_logits(stored(self._present, covered))
            self._correction -= self._mean * found.sum(axis=1)
        self.weights[:, rows] = self._error[:, rows] = 0
        if (self._known.maximum < self._maximum - 1).any():
            self._rescale()

    def state(self) -> State:
        """The softmax over all keys as far as it is known."""
        total = self.weights.sum(axis=1, dtype=np.float64) + self._correction
        return merge(self._known, State(self._maximum, np.maximum(total, 0)))

    def uncertainty(self) -> F64:
        """How far the log-sum-exp (H,) of `state` can be off; infinite where nothing is proved."""
        return np.asarray(-np.log1p(-np.minimum(self._off(self.state()), 1)))

    def doubtful(self, most: int) -> Rows:
        """The rows to read for a log-sum-exp within TOLERANCE; TooManyError if they are more than `most`."""
        state = self.state()
        off = self._off(state)
        if (off <= -np.expm1(-TOLERANCE)).all():
            return np.empty(0, np.intp)
        too_much = off - 0.9 * TOLERANCE
        unit = np.exp(self._maximum - state.maximum) / state.total
        share = unit.astype(np.float32) @ self._error
        unread = np.flatnonzero(share > 0)
        first = max(0, len(unread) - most)
        rows = unread[np.argpartition(share[unread], first)[first:]] if first < len(unread) else unread[:0]
        rows = rows[np.argsort(-share[rows])]
        gone = np.cumsum(self._error[:, rows], axis=1, dtype=np.float64)
        enough = (gone * unit[:, None] >= too_much[:, None]).all(axis=0)
        if enough.any():
            return rows[: int(np.argmax(enough)) + 1]
        if first or not len(rows):
            raise TooManyError("too many keys weigh something")
        return rows

    def _off(self, state: State) -> F64:
        """A bound (H,) on the relative error of the totals of `state`; its own rounding is made up for."""
        off = (self._error.sum(axis=1, dtype=np.float64) + self._spare) * 1.001 + np.count_nonzero(
            self._unread
        ) * TINY32
        relative: F64 = off * np.exp(self._maximum - state.maximum) / state.total
        return np.where(off > 0, relative, 0)

    def _terms(self) -> tuple[F32, F32, F32]:
        """(H, n) each: the weights p, the bounds on x of first order, and p times those on all else."""
        weights, first, rest = (np.empty_like(self._logits) for _ in range(3))
        maximum = self._maximum.astype(np.float32)[:, None]
        for span in blocks(self._logits):
            rows = stored(self._present, span)
            below = self._logits[:, span] - maximum
            weight = np.exp(below, out=weights[:, span])
            first[:, span] = self._bound.of_residuals(rows)
            rounding = self._bound.of_rounding(rows)
            both = first[:, span] + rounding
            second = both * both * np.exp(np.minimum(both, 1)) / 2
            rounding += np.float32(_EXP_ERROR) - np.float32(EPS32) * below
            wide = np.exp(np.minimum(below + both, _FAR))
            rest[:, span] = np.where(both > 1, wide, weight * (rounding + second))
            self._checkpoint()
        return weights, first, rest

    def _rescale(self) -> None:
        """Start anew with the rows that are left, where the largest logits turned out to be far less."""
        maximum = np.where(self._unread, self._logits, -np.inf).max(axis=1).astype(np.float64)
        if (maximum < self._maximum).any():
            self._maximum = maximum
            self._spare, self._correction, self._mean = (np.zeros(len(maximum)) for _ in range(3))
            self.weights, first, rest = self._terms()
            self._error = self.weights * first + rest
            self.weights[:, ~self._unread] = self._error[:, ~self._unread] = 0

    def _cancel(self, query: F64, first: F32, residuals: ResidualSum) -> None:
        """Make use of the sum of residuals in each head where that makes the bound tighter."""
        n = len(self._covered)
        places = np.arange(n) if isinstance(self._present, slice) else self._present
        covered = places < residuals.rows
        absent = np.ones(residuals.rows, bool)
        absent[places[covered]] = False
        mean = np.median(self.weights[:, :: max(1, n // _SAMPLE)], axis=1).astype(np.float64)
        apart = np.abs(self.weights - np.outer(mean.astype(np.float32), covered))
        spare = self._bound.of_residuals(np.flatnonzero(absent)).sum(axis=1, dtype=np.float64)
        spare += self._bound.of_float64(slice(0, residuals.rows))
        gains = _sum_of_products(apart, first) + mean * spare < _sum_of_products(self.weights, first)
        gains &= mean * spare < TOLERANCE / 4 * self.weights.sum(axis=1, dtype=np.float64)
        self._mean, self._covered = np.where(gains, mean, 0).astype(np.float32).astype(np.float64), covered
        self._spare = self._mean * np.where(gains, spare, 0)
        by_head = residuals.vector.reshape(len(query), -1)
        self._correction = self._mean * (query * by_head).sum(axis=1)


def over_nothing(heads: int) -> State:
    """The softmax over no keys."""
    return State(np.full(heads, -np.inf), np.zeros(heads))


def stored(present: Rows | slice, rows: Rows | slice) -> Rows | slice:
    """The indexes of stored rows that present rows have; `present` is a slice from 0 where all are."""
    return rows if isinstance(present, slice) else present[rows]


def _sum_of_products(a: F32, b: F32) -> F64:
    result: F64 = np.einsum("hn,hn->h", a, b).astype(np.float64)
    return result
