"""Attention of one query over many keys, and the logit of one pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import EPS32, F32, F64, MAX32, Checkpoint, Floats, Rows, spans, uninterrupted
from .errors import InvalidOption, InvalidShape, NumericOverflow
from .mechanism import Mechanism, Scorer, parse_num_heads, parse_options, parse_temperature
from .softmax import State, settle

_HEAVY = 64
"""Keys whose exact logits settle the log-sum-exp."""

_COARSE = 1e-3 / EPS32
"""Logits that float32 rounds by more than a thousandth; softmax of such is taken in float64 throughout."""


@dataclass
class Weights:
    """Attention of one query over n keys, row by row.

    score (n,): mean over heads of the weight after normalisation over all keys. logit (n,): mean over heads
    of the logit, NaN for a key that the mechanism masks out. head_scores (H, n): weights of each head.
    lse (H,): log-sum-exp of each head's logits, or the normaliser given in its place; None where the
    mechanism has none.

    For ranking: whole is the softmax over all keys, exact(rows) gives float64 logits (H, len(rows)); both are
    None where scores are final as they are. slack (n,) bounds how far a logit, or the log of a score, is off.
    """

    score: F32
    logit: F32
    head_scores: F32
    lse: F64 | None
    whole: State | None = None
    exact: Callable[[Rows], F64] | None = None
    slack: F32 | None = None


def attend(
    mechanism: Mechanism,
    query: Floats,
    keys: F32,
    *,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
    normaliser: Floats | None = None,
    checkpoint: Checkpoint = uninterrupted,
) -> Weights:
    """Scores of query (d,) over keys (n, d) float32, both finite.

    num_heads, temperature and options are the mechanism's own where left out. normaliser (H,) takes the place
    of the log-sum-exp over these keys, so that scores are those of a larger whole. checkpoint is called
    between blocks and may raise. Raises InvalidOption, UnknownOption, InvalidShape, and NumericOverflow for a
    logit beyond the range of float32.
    """
    heads = _checked_heads(mechanism, query, num_heads)
    divisor = parse_temperature(mechanism, temperature)
    chosen = parse_options(mechanism, options or {})
    normaliser = _checked_normaliser(normaliser, heads)
    if not len(keys):
        return _over_no_keys(heads, normaliser)
    _check_width(query, keys.shape[1])
    slices = _slices(query, heads)

    with np.errstate(all="ignore"):
        fast = mechanism.scorer(slices, divisor, chosen, np.float32)
        fast_logits, slack = _score_keys(fast, query, keys, heads, checkpoint)
        precise = mechanism.scorer(slices, divisor, chosen, np.float64)
        exact = _Exact(precise, keys, heads, checkpoint)
        coarse = max(fast_logits.max(), -fast_logits.min()) > _COARSE
        logits = exact(np.arange(len(keys))) if coarse else fast_logits
        weights = np.empty_like(logits)
        state = mechanism.normalise(logits, weights, chosen, checkpoint)
        whole = _finish(state, logits, weights, exact, normaliser)
        slack += np.float32(EPS32) * (2 * np.abs(state.maximum).max() + 16)
        head_scores = weights.astype(np.float32, copy=False)
        logit = _mean(logits).astype(np.float32, copy=False)
    return Weights(_mean(head_scores), logit, head_scores, whole.lse, whole, exact, slack)


def pair_scorer(
    mechanism: Mechanism,
    query: Floats,
    *,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
) -> Callable[[Floats], float]:
    """One query (d,) made ready for single keys (d,): key -> logit, the mean over heads, in float64.

    Errors are those of `attend`; NumericOverflow comes from the call.
    """
    heads = _checked_heads(mechanism, query, num_heads)
    divisor = parse_temperature(mechanism, temperature)
    chosen = parse_options(mechanism, options or {})
    scorer = mechanism.scorer(_slices(query, heads), divisor, chosen, np.float64)
    out = np.empty((heads, 1))

    def logit(key: Floats) -> float:
        if len(key) != query.size:
            _check_width(query, len(key))
        scorer.logits(np.asarray(key, np.float64)[None], out)
        value = float(out[0, 0] if heads == 1 else out.mean())
        if not abs(value) <= MAX32:
            raise _overflow("the logit of query and key", query, key)
        return value

    return logit


def pair_logit(mechanism: Mechanism, query: Floats, key: Floats, **settings: Any) -> float:
    """The logit of query (d,) with key (d,); settings as for `pair_scorer`."""
    return pair_scorer(mechanism, query, **settings)(key)


class _Exact:
    """Logits of chosen keys in float64."""

    def __init__(self, scorer: Scorer, keys: F32, heads: int, checkpoint: Checkpoint) -> None:
        self._scorer, self._keys, self._heads, self._checkpoint = scorer, keys, heads, checkpoint

    def __call__(self, rows: Rows) -> F64:
        out = np.empty((self._heads, len(rows)))
        for span in spans(len(rows), 8 * self._keys.shape[1]):
            self._scorer.logits(self._keys[rows[span]].astype(np.float64), out[:, span])
            self._checkpoint()
        return out


def _score_keys(
    scorer: Scorer, query: Floats, keys: F32, heads: int, checkpoint: Checkpoint
) -> tuple[F32, F32]:
    """Logits (H, n) and the bound (n,) on their rounding, by blocks of keys that stay in the cache."""
    logits = np.empty((heads, len(keys)), np.float32)
    slack = np.empty(len(keys), np.float32)
    for span in spans(len(keys), 4 * keys.shape[1]):
        block = keys[span]
        scorer.logits(block, logits[:, span])
        if not np.isfinite(logits[:, span]).all():
            bad = span.start + int(np.flatnonzero(~np.isfinite(logits[:, span]).all(axis=0))[0])
            raise _overflow(f"the logit of query and row {bad}", query, keys[bad], row=bad)
        slack[span] = scorer.rounding(block)
        checkpoint()
    return logits, slack


def _finish(state: State, logits: Floats, weights: Floats, exact: _Exact, normaliser: F64 | None) -> State:
    """Turn exp(logit - maximum) in `weights` (H, n) into weights under the softmax over all keys, returned.

    The heaviest keys, which carry most of the rounding error, are computed anew from exact logits.
    """
    heavy = _heaviest(state, weights)
    exact_logits = exact(heavy)
    if normaliser is None:
        whole = settle(state, weights[:, heavy] / state.total[:, None], exact_logits)
    else:
        whole = State(normaliser, np.ones(len(normaliser)))
    weights *= _factors(state, whole)[:, None]
    weights[:, heavy] = whole.weights(exact_logits)
    logits[:, heavy] = exact_logits
    return whole


def _heaviest(state: State, exponentials: Floats) -> Rows:
    """The keys of the largest mean weight."""
    score = (1 / state.total).astype(exponentials.dtype) @ exponentials
    first = max(0, len(score) - _HEAVY)
    return np.argpartition(score, first)[first:]


def _factors(state: State, whole: State) -> F32:
    """What turns exp(logit - maximum) into the weight under `whole`."""
    factors = whole.weights(state.maximum[:, None])[:, 0].astype(np.float32)
    if not np.isfinite(factors).all():
        head = int(np.flatnonzero(~np.isfinite(factors))[0])
        raise InvalidOption(
            f"normaliser of head {head} is {whole.lse[head]:g}, the largest logit is {state.maximum[head]:g}",
            "A normaliser is the log-sum-exp over these keys and more, so it is no less than any logit.",
        )
    return factors


def _mean(per_head: Floats) -> Floats:
    """The mean over heads (H, n) -> (n,); with one head that head itself, not a copy."""
    mean: Floats = per_head[0] if len(per_head) == 1 else per_head.mean(axis=0)
    return mean


def _slices(query: Floats, heads: int) -> F64:
    return query.astype(np.float64).reshape(heads, -1)


def _over_no_keys(heads: int, normaliser: F64 | None) -> Weights:
    nothing = np.empty((heads, 0), np.float32)
    lse = np.full(heads, -np.inf) if normaliser is None else normaliser
    return Weights(nothing[0].copy(), nothing[0].copy(), nothing, lse)


def _checked_heads(mechanism: Mechanism, query: Floats, num_heads: int | None) -> int:
    if query.ndim != 1 or not query.size:
        raise InvalidShape(f"query has the shape {query.shape}, it must be one vector, not empty")
    return parse_num_heads(mechanism, num_heads, query.size)


def _check_width(query: Floats, width: int) -> None:
    if query.size != width:
        raise InvalidShape(f"query has {query.size} dimensions, keys have {width}")


def _checked_normaliser(normaliser: Floats | None, heads: int) -> F64 | None:
    if normaliser is None:
        return None
    if normaliser.shape != (heads,):
        raise InvalidOption(
            f"normaliser has {normaliser.size} values, num_heads is {heads}",
            "Give one log-sum-exp for each head.",
        )
    if not np.isfinite(normaliser).all():
        raise InvalidOption("normaliser holds a value that is not finite")
    return normaliser.astype(np.float64)


def _overflow(what: str, query: Floats, key: Floats, row: int | None = None) -> NumericOverflow:
    largest = [float(np.abs(vector).max()) for vector in (query, key)]
    return NumericOverflow(
        f"{what} overflows single precision: their largest values are {largest[0]:g} and {largest[1]:g}",
        "Scale the vectors down, or raise the temperature.",
        row,
    )
