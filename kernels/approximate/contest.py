"""Which rows can be among the best, and whether exact logits of them settle their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Rows
from ..softmax import State
from .estimate import Bound, TooManyError, blocks
from .normaliser import stored

_LOG_TINY = float(np.log(TINY32))

_CLOSE = 1e-11
"""Relative rounding of keys of ranking in float64, with room."""


@dataclass(frozen=True)
class Softmax:
    """The softmax over all keys, the log-sum-exp (H,) of which is off by at most `off` (H,)."""

    state: State
    off: F64

    def log_weights(self, logits: F64, sign: int) -> F64:
        """Logarithms (H, c) of weights, at most for a sign of 1, at least for -1."""
        shift = np.log(self.state.total) - sign * self.off
        result: F64 = logits - self.state.maximum[:, None] - shift[:, None]
        return result


class Contest:
    """Rows are ordered by the logarithm of their score; below what float32 holds, by their mean logit.

    Under one head the order is that of the logits. The depth of a vanished row is its mean logit, moved
    below any logarithm of a score, as `ranking` has it.
    """

    def __init__(self, logits: F32, bound: Bound, present: Rows | slice, checkpoint: Checkpoint) -> None:
        """logits (H, n) of the stored rows `present`."""
        self._logits, self._bound, self._present, self._checkpoint = logits, bound, present, checkpoint
        self._depth = 100 + bound.reach(present)

    def best(self, weights: F32, softmax: Softmax, k: int) -> Rows:
        """The k best rows by approximate weights exp(logit - maximum) (H, n)."""
        key = self._logits[0]
        if len(weights) > 1:
            factors = softmax.state.weights(self._logits.max(axis=1)[:, None].astype(np.float64))[:, 0]
            key = np.log(factors.astype(np.float32) @ weights)
            vanished = ~(key >= _LOG_TINY)
            key[vanished] = self._logits[:, vanished].mean(axis=0) - np.float32(self._depth)
        return np.argpartition(key, len(key) - k)[len(key) - k :]

    def rivals(self, exact: F64, softmax: Softmax, k: int) -> Rows:
        """All rows that may be among the k best, given exact logits (H, c) of some, c >= k."""
        least = np.sort(self._keys(exact, softmax, -1))[-k]
        least -= _CLOSE * (abs(least) + (len(exact) > 1))
        rows = self._not_below(least, softmax)
        most = self._upper(rows).astype(np.float64)
        rivals: Rows = rows[self._keys(most, softmax, 1) >= least]
        return rivals

    def _not_below(self, least: float, softmax: Softmax) -> Rows:
        """A superset of the rows whose key may be at least that, by the largest of their weights."""
        shift = np.log(softmax.state.total) - softmax.off + softmax.state.maximum
        room = 16 * EPS32 * (1 + abs(least) + float(np.abs(shift).max()))
        found = []
        for span in blocks(self._logits):
            self._checkpoint()
            upper = self._upper(span)
            if len(upper) == 1:
                found.append(span.start + np.flatnonzero(upper[0] >= least - room))
                continue
            weight = (upper - shift.astype(np.float32)[:, None]).max(axis=0)
            may = weight >= max(least, _LOG_TINY) - room
            if least < _LOG_TINY:
                may |= upper.mean(axis=0) >= least + self._depth - room
            found.append(span.start + np.flatnonzero(may))
        return np.concatenate(found)

    def _upper(self, rows: Rows | slice) -> F32:
        """The most that logits (H, c) can be."""
        places = stored(self._present, rows)
        upper: F32 = self._logits[:, rows] + self._bound.of_residuals(places)
        upper += self._bound.of_rounding(places)
        return upper

    def _keys(self, logits: F64, softmax: Softmax, sign: int) -> F64:
        """By what rows are ordered (c,), at most for a sign of 1, at least for -1."""
        if len(logits) == 1:
            single: F64 = logits[0]
            return single
        logs = softmax.log_weights(logits, sign)
        largest = logs.max(axis=0)
        key: F64 = largest + np.log(np.exp(logs - largest).mean(axis=0))
        vanished = key < _LOG_TINY
        key[vanished] = logits[:, vanished].mean(axis=0) - self._depth
        return key

    def settle(self, exact: F64, softmax: Softmax, k: int) -> None:
        """Raise TooManyError unless the order of the first k rows by exact logits (H, c) is certain."""
        if len(exact) == 1:
            return
        order = np.argsort(-self._keys(exact, softmax, 0))
        ahead = np.concatenate([order[: k - 1], np.repeat(order[k - 1], len(order) - k)])
        behind = order[1:]
        if not _decided(exact[:, ahead], exact[:, behind], softmax).all():
            raise TooManyError("scores closer than the normalisers of the heads are known")


def _decided(a: F64, b: F64, softmax: Softmax) -> npt.NDArray[np.bool_]:
    """Whether each pair of rows (H, c) has one order wherever in its bounds the log-sum-exp is."""
    first, second = np.exp(softmax.log_weights(a, 0)), np.exp(softmax.log_weights(b, 0))
    doubt = np.expm1(softmax.off + _CLOSE)[:, None]
    apart = np.abs(first.mean(axis=0) - second.mean(axis=0)) > (doubt * np.abs(first - second)).mean(axis=0)
    least, most = 1 - doubt.max(), 1 + doubt.max()
    seen = [weights.mean(axis=0) * least > TINY32 for weights in (first, second)]
    gone = [weights.mean(axis=0) * most < TINY32 for weights in (first, second)]
    equal = (a == b).all(axis=0)
    decided: npt.NDArray[np.bool_] = (
        equal | (seen[0] & seen[1] & apart) | (gone[0] & gone[1]) | (seen[0] & gone[1])
    )
    return decided
