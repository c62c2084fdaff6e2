"""What one pass over the codes proves: sums of weights by bounds say how far a normaliser can be off.

With logits l = a + x, where a is what the codes give and |x| <= b, let p_j = exp(a_j) and u any number. Then

    sum_j exp(l_j) = sum_j p_j + u sum_j x_j + at most sum_j |p_j - u| b_j + p_j b_j^2 exp(b_j) / 2

where sum_j x_j is known if the sum of all residuals is: with u a usual weight, little is left unless
temperatures are low. That decides the order of the rows. In fact the sum is off by far less, since residuals
of many rows cancel: they are taken for random in direction, and rows are read until the normaliser is off by
no more than _CLOSE on average.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import EPS32, F64, Checkpoint, Present, Rows
from ..softmax import State
from ..sweep import LEAST, Bounds, Sweep
from .estimate import Bound, TooManyError
from .order import Softmax

_CLOSE = 2e-6
"""How far a log-sum-exp may be off on average (root mean square)."""

_SUMMED = 256 * EPS32
"""Relative error of the sums of a block: 128 sums in float32 of exponentials that are off by 8 units."""

_SAMPLE = 64
"""Rows whose median weight stands for what most rows weigh."""

_SHRUNK = 0.5
"""What a sketch takes from a row's length along the row itself, relative, times its dimensions."""

_WIDEST = 1.0
"""The largest bound of a logit with which anything is to be proved."""


class _Sums(NamedTuple):
    """Sums over keys in each head (H,), of weights relative to the largest logit that the codes give.

    total: of weights. plain: of weight * bound of the residual. apart: of |weight - u| * bound of the
    residual. variance: of what is off, once u is made up for.
    """

    total: F64
    plain: F64
    apart: F64
    variance: F64

    def less(self, read: _Sums, *, nothing_left: bool) -> _Sums:
        """The sums over the other keys."""
        if nothing_left:
            return _Sums(*(np.zeros_like(total) for total in self))
        return _Sums(*(np.maximum(mine - theirs, 0) for mine, theirs in zip(self, read, strict=True)))


class Proof:
    """One query before codes: sums over them, and what of them has been read exactly.

    bound: of the query, scaled as logits are, and the codes. finer: of the same rows in more bits, which tell
    some apart without exact keys; None where there are none. closely: whether the normaliser is wanted as
    close as it must be; codes that have finer ones are not asked for it where a few rows say it is in vain.
    off_in_float32: how far the logits of float32 keys can be off.
    """

    def __init__(
        self,
        bound: Bound,
        finer: Bound | None,
        present: Present | None,
        *,
        closely: bool,
        threads: int,
        checkpoint: Checkpoint,
    ) -> None:
        self._query, self._level, self._bound, self._finer = bound.query, bound.level, bound, finer
        query, level = bound.query, bound.level
        self._present = slice(0, len(level)) if present is None else present
        self._unread = self._rows = len(level) if present is None else len(present)
        usual = np.full(len(query), -np.inf)
        if level.summed:
            rows, logits = self._sample()
            usual = np.partition(logits, len(rows) // 2, axis=1)[:, len(rows) // 2]
            if closely and finer is not None and not self._expected(rows, logits, usual) <= 1:
                raise TooManyError("weights too different for codes that have finer ones")
        bounds = Bounds(level.largest, level.length, bound.factors, usual.astype(np.float32))
        self._sweep = Sweep(bound.before, present, bounds, threads=threads, checkpoint=checkpoint)
        self._begun = self._sweep.state()
        self._usual = np.exp(usual.astype(np.float32) - self._begun.maximum)
        self._known, self._together = np.zeros(len(query)), np.zeros(len(query))
        self._left = self._sums(self._sweep.sums)
        largest_residual, longest_residual, largest_scale = self._sweep.most.astype(np.float64)
        self._rounding = bound.rounding * largest_scale
        widest = bound.of_residual(largest_residual, longest_residual)
        self.off_in_float32 = bound.of_float32(bound.reach(largest_scale, largest_residual))
        self._widest = widest + self._rounding
        if not np.isfinite(self._left.total).all() or not self._widest.max() <= _WIDEST:
            raise TooManyError("codes that tell too little")
        if level.summed:
            self._make_up_for(present)
        self._variance = self._left.variance
        reach = bound.factors[:, 1] * np.where(widest > 0, np.expm1(widest) / widest, 1)
        self._scores, self._uppers = self._sweep.scores_within(
            self._begun, level.length if present is None else level.length[present], reach
        )

    def heaviest(self, count: int) -> Rows:
        """The rows of the largest scores."""
        return self._scores.largest(count)

    def learn(self, rows: Rows, exact: F64) -> None:
        """Take the float64 logits (H, c) of rows that were not known before."""
        if not len(rows):
            return
        self._unread -= len(rows)
        self._left = self._left.less(self._sums(self._sums_of(rows)), nothing_left=not self._unread)
        if self._usual.any():
            coded = self._bound.before.logits(stored(self._present, rows))
            self._together -= (exact - coded).sum(axis=1)
        self._known += np.exp(exact - self._begun.maximum[:, None]).sum(axis=1)

    def softmax(self) -> Softmax:
        """The softmax over all keys as far as it is known, and how far it can be off."""
        whole, left = self._whole(), self._left
        second = self._widest * np.exp(self._widest) / 2 * left.plain
        first = np.fmin(left.plain + self._usual * np.abs(self._together), left.apart)
        rounding = (self._rounding * np.exp(self._widest) + _SUMMED) * self._sweep.sums[:, 0]
        # of the rows that were read, what the codes give is taken from the sum of all residuals
        rounding += self._usual * (self._rounding * (self._rows - self._unread))
        off = first + second + rounding * min(1, self._unread)
        return Softmax(State(self._begun.maximum, whole), -np.log1p(-np.minimum(off / whole, 1)))

    def is_close(self) -> bool:
        """Whether the normaliser of each head is as close as it must be, on average."""
        return bool((np.sqrt(self._left.variance) <= _CLOSE * self._whole()).all())

    def needed(self, most: int) -> int:
        """About how many of the heaviest rows must be read to come close; TooManyError above `most`."""
        excess = float((self._variance / (_CLOSE * self._whole()) ** 2).max())
        usual = float((self._usual / self._begun.total).mean())
        shares = (self._scores.values[0] - np.float32(usual)) ** 2
        largest_first = -np.partition(-shares, most - 1)[:most] if most < len(shares) else shares
        gone = np.cumsum(np.sort(largest_first)[::-1], dtype=np.float64)
        count = int(np.searchsorted(gone, shares.sum(dtype=np.float64) * (1 - 1 / excess))) + 1
        if count > most or not self._unread:
            raise TooManyError("too many keys weigh something")
        return count

    def rivals(self, least: float, softmax: Softmax) -> Rows:
        """All rows the logarithm of whose score may be at least that."""
        shift = float((self._begun.lse - softmax.state.lse + softmax.off).max())
        if not np.exp(least - shift) >= LEAST:
            raise TooManyError("scores that vanish")
        room = shift + self._sweep.rounding() + self._rounding.max()
        rows = self._uppers.at_least(np.exp(least - room))
        places = stored(self._present, rows)
        if self._finer is None:
            bound, weights = self._bound, self._sweep.weights(rows, softmax.state)
        else:
            logits = self._finer.before.logits(places)
            bound, weights = self._finer, np.asarray(softmax.state.weights(logits), np.float64)
        off = bound.of_rounding(places) + (softmax.off[:, None] + self._sweep.rounding())
        near: Rows = rows[bound.of_scores(weights * np.exp(off), places) >= np.exp(least)]
        return near

    def _sample(self) -> tuple[Present, F64]:
        """Some stored rows (c,), and their logits (H, c) by the finest codes."""
        count = min(_SAMPLE, self._rows)
        places = np.arange(count) * (self._rows - 1) // max(1, count - 1)
        rows, finest = stored(self._present, places), self._finer or self._bound
        return rows, finest.before.logits(rows)

    def _expected(self, rows: Present, logits: F64, usual: F64) -> float:
        """By some stored rows, the variance of the normaliser as a multiple of what it may be."""
        apart = logits - usual[:, None]
        weights = np.exp(apart)
        distances = (weights - 1) * self._level.length[rows]
        variance = np.einsum("hc,hc->h", distances, distances) * (self._bound.lengths**2 / self._query.size)
        # of both the mean over the sample
        excess = float((variance / (_CLOSE * weights.sum(axis=1)) ** 2).max()) * len(rows) / self._unread
        # the largest element of a row is always rounded down: that part of a residual follows the logit
        bias = _SHRUNK / self._level.width * float(apart.var(axis=1).max())
        return max(excess, (bias / _CLOSE) ** 2)

    def _whole(self) -> F64:
        """The sum of all weights (H,), as far as it is known."""
        whole: F64 = self._known + self._left.total + self._usual * self._together * min(1, self._unread)
        return whole

    def _make_up_for(self, present: Present | None) -> None:
        """Take what the residuals of all rows add up to; some of these may not be present, or not summed."""
        level = self._level
        self._together = (self._query * level.together.reshape(self._query.shape)).sum(axis=1)
        if present is None and level.summed == len(level):
            return
        other = np.zeros(len(level), bool)
        other[: level.summed] = True
        other[slice(None) if present is None else present] ^= True
        largest, length = (values[other].astype(np.float64) for values in (level.largest, level.length))
        squares = float((length * length).sum())
        spare = self._usual * self._bound.of_residual(largest.sum(), length.sum())
        apart = self._left.apart + spare
        variance = self._usual**2 * self._bound.lengths**2 * squares / self._query.size
        self._left = self._left._replace(apart=apart, variance=self._left.variance + np.nan_to_num(variance))

    def _sums_of(self, rows: Rows) -> F64:
        """The part of some rows in the sums of the sweep (H, 4)."""
        weights = self._sweep.weights(rows, State(self._begun.maximum, np.ones(len(self._known))))
        places = stored(self._present, rows)
        bounds, spread = self._bound.of_residuals(places), self._level.length[places].astype(np.float64)
        distances = np.abs(weights - self._usual[:, None])
        plain, apart = (weights * bounds).sum(axis=1), (distances * bounds).sum(axis=1)
        squared = ((distances * spread) ** 2).sum(axis=1)
        return np.stack([weights.sum(axis=1), plain, apart, squared], axis=1)

    def _sums(self, sums: F64) -> _Sums:
        variance = self._bound.lengths**2 * sums[:, 3] / self._query.size
        return _Sums(sums[:, 0], sums[:, 1], sums[:, 2], variance)


def stored(present: Present | slice, rows: Rows) -> Present:
    """The indexes of stored rows that present rows have; `present` is a slice from 0 where all are."""
    return rows if isinstance(present, slice) else present[rows]
