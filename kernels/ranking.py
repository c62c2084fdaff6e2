"""Rows in order: score descending, then logit descending, then id ascending; lazily, the first rows first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats, Rows, spans, uninterrupted
from .ids import Ids
from .native import rank
from .softmax import State
from .sorting import in_order
from .weights import Answer, Bools, Weights

FIRST = 64
"""Rows in the first chunk where no number of rows is given; each next chunk is twice as long, up to a part
of all rows."""

PART = 4
"""Chunks of that kind at most, as what is held of their rows is much; none is shorter than EXACT."""

EXACT = 4096
"""Rows that are put in order by their float64 scores; further down float32 decides."""

_INFINITY = np.float32(np.inf)

_BYTES = 32
"""What is held of a row while the best ones are sought."""


def ranked(
    weights: Weights, ids: Ids, k: int | None = None, checkpoint: Checkpoint = uninterrupted
) -> Iterator[Rows]:
    """Arrays of row indexes in order, k rows in all; all rows, those masked out as well, where k is None.

    ids (n,) decide between rows of equal score and logit. Before rows are given out their score, logit and
    head_scores are written back into `weights` from float64 logits, so read them only for rows given out. No
    row has a larger score than a row before it.
    """
    keys = _Keys(weights)
    hidden = keys.are_masked(slice(None))
    masked = np.flatnonzero(hidden)
    if k is None and weights.exact is None:
        # final scores may be negative, and come after the 0 of masked rows
        rows, masked = np.arange(len(ids)), masked[:0]
    elif k is not None and k <= EXACT:
        rows = keys.among_largest(k, len(ids) - len(masked))
    else:
        rows = np.flatnonzero(~hidden)
    ranking = _Ranking(weights, keys, rows, ids, checkpoint)
    wanted = len(rows) if k is None else min(k, len(rows))
    chunk = FIRST if k is None else min(k, EXACT)
    given = 0
    while given < wanted:
        checkpoint()
        rows = ranking.take(min(chunk, wanted - given), refine=given < EXACT)
        given += len(rows)
        chunk = min(2 * chunk, max(EXACT, len(ids) // PART))
        yield rows
    if k is None and masked.size:
        yield masked[np.argsort(ids[masked])]


def best_of_weights(weights: Weights, ids: Ids, k: int, checkpoint: Checkpoint = uninterrupted) -> Answer:
    """The k best of all keys, which must be no more than EXACT, as `ranked` orders them."""
    rows = next(ranked(weights, ids, k, checkpoint), np.empty(0, np.intp))
    score, head_scores = weights.score[rows], weights.head_scores[:, rows]
    return Answer(rows, score, weights.shown_logit(rows), head_scores, weights.lse, len(ids))


def best_of_logits(
    rows: Rows | None, ids: npt.NDArray[np.int64], logits: F64, whole: State, k: int
) -> Answer:
    """The k <= EXACT best of rows (c,) by float64 logits (H, c) and ids (c,), in the order of `ranked`.

    rows: None where they are all keys. whole: the softmax over all keys.
    """
    heads, count = logits.shape
    k = min(k, count)
    order = np.empty((1, k), np.int64)
    shown = np.empty((2 + heads, k), np.float32)
    score, logit, head_scores = shown[:1], shown[1:2], shown[2:]
    maximum, lse = np.asarray(whole.maximum, np.float64)[None], np.empty((1, heads))
    rank.best(logits, ids[None], maximum, whole.total[None], order, score, logit, head_scores, lse)
    best = order[0] if rows is None else rows[order[0]]
    return Answer(best, score[0], logit[0], head_scores, lse[0], count)


class _Keys:
    """Numbers that order rows as their scores do, whose error `Weights.slack` bounds.

    One softmax orders rows as its logits do, even where scores are too small for float32. A mean of several
    is taken as its logarithm, and by the mean logit where it vanishes. Others stand as they are.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.depth = _depth_below(weights.logit)

    def of(self, rows: Rows | slice) -> F64:
        """The keys (c,) of rows."""
        score, logit = self._weights.score[rows], self._weights.logit[rows]
        if self._weights.exact is None:
            return score.astype(np.float64)
        if len(self._weights.head_scores) == 1:
            return logit.astype(np.float64)
        return _log_or_below(score, logit, self.depth)

    def slack(self, rows: Rows | slice) -> F32:
        """How far the keys of rows can be off (c,)."""
        slack, score = self._weights.slack, self._weights.score[rows]
        return np.zeros(len(score), np.float32) if slack is None else slack[rows]

    def are_masked(self, rows: Rows | slice) -> Bools:
        """Which rows (c,) the mechanism masks out."""
        masked: Bools = np.isnan(self._weights.logit[rows])
        return masked

    def among_largest(self, k: int, unmasked: int) -> Rows:
        """The rows, not masked, that the k of the largest keys are among, given how far these can be off."""
        n = len(self._weights.score)
        least = np.empty(n, np.float32)
        for span in spans(n, _BYTES):
            with np.errstate(over="ignore"):
                rounded = (self.of(span) - self.slack(span)).astype(np.float32)
            least[span] = np.nextafter(rounded, -_INFINITY)
            least[span][self.are_masked(span)] = -_INFINITY
        bar = -_INFINITY
        if k < unmasked:
            least.partition(n - k)
            bar = least[n - k]
        found = []
        for span in spans(n, _BYTES):
            may_be = (self.of(span) + self.slack(span) >= bar) & ~self.are_masked(span)
            found.append(np.flatnonzero(may_be) + span.start)
        return np.concatenate(found) if found else np.empty(0, np.intp)


class _Ranking:
    """Rows that are left to rank by their keys, which are exact where the slack is 0."""

    def __init__(self, weights: Weights, keys: _Keys, rows: Rows, ids: Ids, checkpoint: Checkpoint) -> None:
        self._weights, self._ids, self._checkpoint = weights, ids, checkpoint
        self._rows, self._key, self._slack = rows, keys.of(rows), keys.slack(rows)
        self._depth = keys.depth
        self._last = np.float32(np.inf)

    def take(self, count: int, *, refine: bool) -> Rows:
        """The next `count` rows in order, by their float64 scores if they are to be refined."""
        places = self._candidates(count)
        if refine and self._weights.exact is not None:
            self._refine(places[self._slack[places] > 0])
        rows = self._rows[places]
        logit = self._weights.shown_logit(rows)
        order = in_order((self._ids[rows], -logit, -self._key[places]), self._checkpoint)[:count]
        self._drop(places[order])
        self._write_monotone(rows[order])
        return rows[order]

    def _candidates(self, count: int) -> Rows:
        """Places of the rows that may be among the next `count`, given how far their keys may be off."""
        if count >= len(self._rows):
            return np.arange(len(self._rows))
        # one array for both ends of what the keys may be: there are as many as rows
        end = self._key - self._slack
        end.partition(len(end) - count)
        threshold = end[len(end) - count]
        np.add(self._key, self._slack, out=end)
        return np.flatnonzero(end >= threshold)

    def _refine(self, places: Rows) -> None:
        """Replace key, score and logit of the rows at these places by those from float64 logits."""
        assert self._weights.exact is not None
        assert self._weights.whole is not None
        rows = self._rows[places]
        logits = self._weights.exact(rows)
        head_scores = self._weights.whole.weights(logits)
        score, logit = head_scores.mean(axis=0), logits.mean(axis=0)
        self._key[places] = logit if len(logits) == 1 else _log_or_below(score, logit, self._depth)
        self._slack[places] = 0
        self._weights.head_scores[:, rows] = head_scores
        self._weights.score[rows] = score
        self._weights.logit[rows] = logit

    def _write_monotone(self, rows: Rows) -> None:
        """Keep float32 rounding from showing a row with a larger score than the row before it."""
        score = self._weights.score
        score[rows] = np.minimum(np.minimum.accumulate(score[rows]), self._last)
        if len(rows):
            self._last = score[rows[-1]]

    def _drop(self, places: Rows) -> None:
        stays = np.ones(len(self._rows), bool)
        stays[places] = False
        self._rows, self._key, self._slack = self._rows[stays], self._key[stays], self._slack[stays]


def _log_or_below(score: Floats, logit: Floats, depth: float) -> F64:
    """log(score), and where float32 cannot hold the score, the logit `depth` below every such logarithm."""
    with np.errstate(divide="ignore"):
        key = np.log(score).astype(np.float64)
    vanished = score < TINY32
    key[vanished] = logit[vanished] - depth
    return key


def _depth_below(logits: Floats) -> float:
    """What to take from any of the logits (n,), rounded as they are, for a number below log(TINY32)."""
    largest = float(np.nanmax(logits, initial=0))
    return 100 + largest * (1 + 16 * EPS32)
