"""Rows in order: score descending, then logit descending, then id ascending; lazily, the first rows first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .arrays import EPS32, F64, TINY32, Checkpoint, Floats, Rows, uninterrupted
from .ids import Ids
from .native import rank
from .softmax import State
from .sorting import in_order
from .weights import Answer, Weights

FIRST = 64
"""Rows in the first chunk where no number of rows is given; each next chunk is twice as long."""

EXACT = 4096
"""Rows that are put in order by their float64 scores; further down float32 decides."""


def ranked(
    weights: Weights, ids: Ids, k: int | None = None, checkpoint: Checkpoint = uninterrupted
) -> Iterator[Rows]:
    """Arrays of row indexes in order, k rows in all; all rows, those masked out as well, where k is None.

    ids (n,) decide between rows of equal score and logit. Before rows are given out their score, logit and
    head_scores are written back into `weights` from float64 logits, so read them only for rows given out. No
    row has a larger score than a row before it.
    """
    ranking = _Ranking(weights, ids, checkpoint, all_rows=k is None)
    wanted = ranking.unmasked if k is None else min(k, ranking.unmasked)
    chunk = FIRST if k is None else min(k, EXACT)
    given = 0
    while given < wanted:
        checkpoint()
        rows = ranking.take(min(chunk, wanted - given), refine=given < EXACT)
        given += len(rows)
        chunk *= 2
        yield rows
    if k is None and ranking.masked.size:
        yield ranking.masked


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


class _Ranking:
    """What is left to rank by `_key`, which is exact where `_slack` is 0, else off by at most that."""

    def __init__(self, weights: Weights, ids: Ids, checkpoint: Checkpoint, *, all_rows: bool) -> None:
        self._weights, self._ids, self._checkpoint = weights, ids, checkpoint
        self._exact = weights.exact
        self._depth = _depth_below(weights.logit)
        self._key = self._ranking_key()
        slack = np.zeros(len(ids), np.float32) if weights.slack is None else weights.slack
        self._slack = slack.copy()
        hidden = np.isnan(weights.logit)
        if all_rows and self._exact is None:
            hidden[:] = False  # final scores may be negative, and come after the 0 of masked rows
        self._left = np.flatnonzero(~hidden)
        masked = np.flatnonzero(hidden)
        self.masked = masked[np.argsort(ids[masked])]
        self.unmasked = len(self._left)
        self._last = np.float32(np.inf)

    def take(self, count: int, *, refine: bool) -> Rows:
        """The next `count` rows in order, by their float64 scores if they are to be refined."""
        candidates = self._candidates(count)
        if refine and self._exact is not None:
            self._refine(candidates[self._slack[candidates] > 0])
        logit = self._weights.shown_logit(candidates)
        order = in_order((self._ids[candidates], -logit, -self._key[candidates]), self._checkpoint)
        rows = candidates[order[:count]]
        self._write_monotone(rows)
        self._drop(rows)
        return rows

    def _candidates(self, count: int) -> Rows:
        """The rows that may be among the next `count`, given how far their keys may be off."""
        if count >= len(self._left):
            return self._left
        # one array for both ends of what the keys may be: there are as many as rows
        end = self._key[self._left]
        end -= self._slack[self._left]
        end.partition(len(end) - count)
        threshold = end[len(end) - count]
        np.take(self._key, self._left, out=end, mode="clip")
        end += self._slack[self._left]
        candidates: Rows = self._left[end >= threshold]
        return candidates

    def _refine(self, rows: Rows) -> None:
        """Replace key, score and logit of the rows by those from float64 logits."""
        assert self._exact is not None
        assert self._weights.whole is not None
        logits = self._exact(rows)
        head_scores = self._weights.whole.weights(logits)
        score, logit = head_scores.mean(axis=0), logits.mean(axis=0)
        self._key[rows] = logit if len(logits) == 1 else _log_or_below(score, logit, self._depth)
        self._slack[rows] = 0
        self._weights.head_scores[:, rows] = head_scores
        self._weights.score[rows] = score
        self._weights.logit[rows] = logit

    def _write_monotone(self, rows: Rows) -> None:
        """Keep float32 rounding from showing a row with a larger score than the row before it."""
        score = self._weights.score
        score[rows] = np.minimum(np.minimum.accumulate(score[rows]), self._last)
        if len(rows):
            self._last = score[rows[-1]]

    def _drop(self, rows: Rows) -> None:
        stays = np.ones(len(self._ids), bool)
        stays[rows] = False
        self._left = self._left[stays[self._left]]

    def _ranking_key(self) -> F64:
        """A number that orders rows as their scores do, whose error `Weights.slack` bounds.

        One softmax orders rows as its logits do, even where scores are too small for float32. A mean of
        several is taken as its logarithm, and by the mean logit where it vanishes. Others stand as they are.
        """
        score, logit = self._weights.score, self._weights.logit
        if self._exact is None:
            return score.astype(np.float64)
        if len(self._weights.head_scores) == 1:
            return logit.astype(np.float64)
        return _log_or_below(score, logit, self._depth)


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
