"""The k best rows of one query over all keys, in one pass: the answer that `attend` and `ranked` give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arrays import EPS32, F32, F64, MAX32, TINY32, Checkpoint, Floats, Rows, uninterrupted
from .attend import COARSE, HEAVY, in_effect, slices_of
from .core.dot import DOT_FEATURES, exact_dots
from .core.flash_v2 import online_exponentials
from .ids import Ids
from .keyset import KeySet
from .logits import check_width
from .mechanism import Mechanism
from .problem import Options
from .ranking import EXACT, best_of_logits
from .softmax import exponentials, given_state, settle, state_and_reach
from .sweep import LEAST, ByBlock, Sweep, before_keys
from .weights import Answer

MOST_RIVALS = 16384
"""Rows that may be scored in float64, before all of them are weighed the general way."""


def serves(mechanism: Mechanism, options: Options, k: int | None) -> bool:
    """Whether one pass knows the mechanism under these options, and so many rows."""
    dots = mechanism.features is DOT_FEATURES and mechanism.pairwise(options) and not mechanism.kernel
    softmax = mechanism.normalise in (exponentials, online_exponentials)
    return dots and softmax and k is not None and k <= EXACT


def best_rows(
    mechanism: Mechanism,
    query: Floats,
    keys: KeySet,
    ids: Ids,
    k: int,
    *,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
    normaliser: Floats | None = None,
    threads: int = 1,
    checkpoint: Checkpoint = uninterrupted,
) -> Answer | None:
    """The k best rows for a query (d,), of a mechanism that `serves` knows.

    ids (n,) decide between equal rows. Everything else is as of `attend`, and so is what it raises of shapes
    and options. None where logits overflow or are coarse, scores vanish, or too many rows are close to each
    other: there `attend` is to be asked.
    """
    heads, divisor, chosen, given = in_effect(mechanism, query, num_heads, temperature, options, normaliser)
    if not len(keys):
        return None
    check_width(mechanism, query.size, keys.shape[1], heads, chosen)
    with np.errstate(all="ignore"):
        search = _Search(mechanism, slices_of(query, heads), divisor, chosen, keys, ids, checkpoint)
        k = min(k, len(keys))
        return search.of_all(k, given) if len(keys) <= HEAVY else search.best(k, given, threads)


class _Search:
    """One query (H, w) before its keys."""

    def __init__(
        self,
        mechanism: Mechanism,
        slices: F64,
        divisor: float,
        options: Options,
        keys: KeySet,
        ids: Ids,
        checkpoint: Checkpoint,
    ) -> None:
        assert mechanism.features is not None
        self._scaled = np.asarray(mechanism.features.queries(slices, divisor, options), np.float64)
        self._keys, self._ids, self._checkpoint = keys, ids, checkpoint

    def of_all(self, k: int, normaliser: F64 | None) -> Answer | None:
        """The answer of few keys, all of them in float64."""
        logits = self._exact(None)
        whole, reach = state_and_reach(logits)
        if not reach <= MAX32:
            return None
        if normaliser is not None:
            if (whole.maximum > normaliser).any():
                return None
            whole = given_state(normaliser)
        return best_of_logits(None, self._ids[:], logits, whole, k)

    def best(self, k: int, normaliser: F64 | None, threads: int) -> Answer | None:
        """The answer for k >= 1 rows, and None where one pass is not enough."""
        keys, checkpoint = self._keys, self._checkpoint
        before = before_keys(self._scaled, keys.stored, None)
        sweep = Sweep(before, keys.present, None, threads=threads, checkpoint=checkpoint)
        state = sweep.state()
        if not np.isfinite(state.total).all() or np.abs(state.maximum).max() > COARSE:
            return None
        under = state if normaliser is None else given_state(normaliser)
        scores = sweep.scores(under)
        rows = scores.largest(max(k, HEAVY))
        logits = self._exact(rows)
        whole = under
        if normaliser is None:
            whole = settle(state, sweep.weights(rows, state), logits)
        exact = whole.weights(logits).sum(axis=0) / len(logits)
        least = float(np.partition(exact, len(exact) - k)[len(exact) - k])
        if not (least >= LEAST and exact.max() <= 1 + EPS32):
            return None
        shift = 0.0 if normaliser is not None else float(np.abs(whole.lse - under.lse).max())
        rivals = self._not_below(sweep, scores, least * np.exp(-shift))
        if len(rivals) > MOST_RIVALS:
            return None
        known = np.zeros(len(keys), bool)
        known[rows] = True
        new = rivals[~known[rivals]]
        if len(new):
            rows, logits = np.concatenate([rows, new]), np.concatenate([logits, self._exact(new)], axis=1)
        return best_of_logits(rows, self._ids[rows], logits, whole, k)

    def _exact(self, rows: Rows | None) -> F64:
        return exact_dots(self._scaled, self._keys, rows, self._checkpoint)

    def _not_below(self, sweep: Sweep, scores: ByBlock, least: float) -> Rows:
        """The rows whose score may be at least that, whatever float32 made of their logits.

        A logit is off by (w + 4) u |q| |k| at most (Higham, ASNA section 3.1).
        """
        squares, rounding = sweep.squares, sweep.rounding()
        rows = scores.at_least(least * float(np.exp(-self._off(squares.max(), rounding))))
        near: Rows = rows[scores.values[0, rows] >= least * np.exp(-self._off(squares[rows], rounding))]
        return near

    def _off(self, squares: F32 | np.float32, rounding: float) -> F64:
        """How far logarithms of scores of keys with these squares can be off."""
        width = self._scaled.shape[1]
        longest = float(np.sqrt((self._scaled * self._scaled).sum(axis=1)).max())
        lengths = np.sqrt(np.float64(squares) + self._keys.shape[1] * TINY32)
        off: F64 = (width + 4) * EPS32 * longest * lengths + rounding
        return off
