"""Attention of one query over many keys, and the logit of one pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .arrays import EPS32, F32, F64, MAX32, Checkpoint, Floats, Rows, uninterrupted
from .errors import InvalidOption, InvalidShape, shown
from .ids import Ids
from .keyset import KeySet, as_keyset
from .logits import Exact, Scorers, check_width, overflow, score_keys
from .mechanism import Mechanism, parse_num_heads, parse_options, parse_temperature
from .positions import Positions
from .problem import Options, Problem
from .softmax import State, given_state, settle
from .weights import Weights, scattered

__all__ = ["Weights", "attend"]

_LOG_MAX32 = float(np.log(MAX32))
"""Logarithm of the largest kernel that float32 holds."""

HEAVY = 64
"""Keys whose exact logits settle the log-sum-exp."""

COARSE = 1e-3 / EPS32
"""Logits that float32 rounds by more than a thousandth; softmax of such is taken in float64 throughout."""


def attend(
    mechanism: Mechanism,
    query: Floats,
    keys: F32 | KeySet,
    *,
    ids: Ids | None = None,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
    normaliser: Floats | None = None,
    positions: Positions | None = None,
    columns: Mapping[str, F64] | None = None,
    checkpoint: Checkpoint = uninterrupted,
) -> Weights:
    """Scores of query (d,) over keys (n, d) float32, both finite.

    ids (n,), the row numbers if left out, decide between equal keys where a mechanism must. num_heads,
    temperature and options are the mechanism's own where left out. normaliser (H,) takes the place
    of the log-sum-exp over these keys, so that scores are those of a larger whole. positions are needed by
    mechanisms that know an order; columns holds the numbers (n,) of each option given that names a column.
    checkpoint is called between blocks and may raise. Raises InvalidOption, UnknownOption, InvalidShape, and
    NumericOverflow for a logit beyond the range of float32.
    """
    heads, divisor, chosen, normaliser = in_effect(
        mechanism, query, num_heads, temperature, options, normaliser
    )
    if not len(keys):
        return over_no_keys(mechanism, heads, normaliser)
    check_width(mechanism, query.size, keys.shape[1], heads, chosen)
    if positions is None and mechanism.needs_order(chosen):
        raise no_positions(mechanism)
    check_columns(mechanism, chosen, columns or {})
    problem = Problem(
        slices_of(query, heads),
        as_keyset(keys),
        np.arange(len(keys)) if ids is None else ids,
        divisor,
        chosen,
        normaliser,
        positions,
        columns or {},
        checkpoint,
    )
    weights = _weigh(mechanism, problem, query)
    weights.notes = problem.notes
    return weights


def in_effect(
    mechanism: Mechanism,
    query: Floats,
    num_heads: int | None,
    temperature: float | None,
    options: Mapping[str, object] | None,
    normaliser: Floats | None,
) -> tuple[int, float, Options, F64 | None]:
    """Number of heads, temperature, options and normaliser in effect, checked; errors as of `attend`."""
    heads = checked_heads(mechanism, query, num_heads)
    divisor = parse_temperature(mechanism, temperature)
    chosen = parse_options(mechanism, options or {})
    return heads, divisor, chosen, checked_normaliser(normaliser, heads)


def _weigh(mechanism: Mechanism, problem: Problem, query: Floats) -> Weights:
    if mechanism.weigh is not None:
        refuse_normaliser(mechanism, problem.normaliser)
        with np.errstate(over="ignore", invalid="ignore"):
            weights = mechanism.weigh(problem)
        _check_range(weights, problem, query)
        return weights
    rows, n = _visible_rows(mechanism, problem), len(problem.keyset)
    if rows is None:
        return _softmax_over(mechanism, problem, query, None)
    if not len(rows):
        return scattered(over_no_keys(mechanism, len(problem.query), problem.normaliser), rows, n)
    return scattered(_softmax_over(mechanism, problem, query, rows), rows, n)


def _check_range(weights: Weights, problem: Problem, query: Floats) -> None:
    """Raise NumericOverflow if a mechanism's own options took a logit out of the range of float32."""
    wrong = np.isinf(weights.logit) | ~np.isfinite(weights.score)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise overflow(f"the logit of query and row {row}", query, problem.keys[row], row=row)


def no_positions(mechanism: Mechanism) -> InvalidOption:
    """The error for a mechanism that needs an order, where there is none."""
    return InvalidOption(
        f"{mechanism.name} needs positions, the keys have none",
        "The tables mha_search and attention know an order.",
    )


def check_columns(mechanism: Mechanism, options: Options, columns: Mapping[str, F64]) -> None:
    """Raise InvalidOption if an option names a column where there is none to read."""
    for name in mechanism.columns:
        if options[name] is not None and name not in columns:
            raise InvalidOption(
                f"{name} is {shown(options[name])}, but keys that are no table's have no columns",
                "Leave it out, or search in a table.",
            )


def refuse_normaliser(mechanism: Mechanism, normaliser: Floats | None) -> None:
    """Raise InvalidOption if a normaliser is given to a mechanism whose weights it cannot make."""
    if normaliser is not None:
        raise InvalidOption(
            f"{mechanism.name} takes no normaliser",
            "Its weights depend on all keys together: no log-sum-exp makes them those of a larger whole.",
        )


def _visible_rows(mechanism: Mechanism, problem: Problem) -> Rows | None:
    """Indexes of the keys that the query may see, None for all."""
    if mechanism.visible is None or not mechanism.hides(problem.options):
        return None
    visible = mechanism.visible(problem)
    return None if visible.all() else np.flatnonzero(visible)


def _softmax_over(mechanism: Mechanism, problem: Problem, query: Floats, rows: Rows | None) -> Weights:
    """Weights of the keys at these indexes, None for all; `exact` goes by indexes of all keys."""
    keys, checkpoint, heads = problem.keyset, problem.checkpoint, len(problem.query)
    with np.errstate(all="ignore"):
        fast = Scorers(mechanism, problem, np.float32)
        fast_logits, slack = score_keys(fast, query, keys, rows, heads, checkpoint)
        if mechanism.kernel and fast_logits.max() > _LOG_MAX32:
            row = int(fast_logits.max(axis=0).argmax())
            row = row if rows is None else int(rows[row])
            raise overflow(f"the logit of query and row {row}", query, keys[row], row=row)
        exact = Exact(mechanism, problem)
        return weigh_logits(
            mechanism, problem.options, fast_logits, slack, rows, exact, problem.normaliser, checkpoint
        )


def weigh_logits(
    mechanism: Mechanism,
    options: Options,
    fast_logits: F32,
    slack: F32,
    seen: Rows | None,
    exact: Callable[[Rows], F64],
    normaliser: F64 | None,
    checkpoint: Checkpoint,
) -> Weights:
    """Weights of the keys at the indexes `seen`, None for all, from float32 logits (H, n).

    These are off by at most slack (n,). exact gives float64 logits by index. Call it under np.errstate: what
    overflows here has been seen to.
    """
    coarse = max(fast_logits.max(), -fast_logits.min()) > COARSE
    n = fast_logits.shape[1]
    logits = exact(np.arange(n) if seen is None else seen) if coarse else fast_logits
    weights = np.empty_like(logits)
    state = mechanism.normalise(logits, weights, options, checkpoint)
    whole = _finish(state, logits, weights, exact if seen is None else lambda p: exact(seen[p]), normaliser)
    slack += np.float32(EPS32) * (2 * np.abs(state.maximum).max() + 16)
    head_scores = weights.astype(np.float32, copy=False)
    logit = _mean(logits).astype(np.float32, copy=False)
    score = _mean(head_scores)
    return Weights(score, logit, head_scores, whole.lse, whole, exact, slack, mechanism.kernel)


def _finish(
    state: State, logits: Floats, weights: Floats, exact: Callable[[Rows], F64], normaliser: F64 | None
) -> State:
    """Turn exp(logit - maximum) in `weights` (H, n) into weights under the softmax over all keys, returned.

    The heaviest keys, which carry most of the rounding error, are computed anew from exact logits.
    """
    heavy = _heaviest(state, weights)
    exact_logits = exact(heavy)
    if normaliser is None:
        whole = settle(state, weights[:, heavy] / state.total[:, None], exact_logits)
    else:
        whole = given_state(normaliser)
    weights *= _factors(state, whole)[:, None]
    weights[:, heavy] = whole.weights(exact_logits)
    logits[:, heavy] = exact_logits
    return whole


def _heaviest(state: State, exponentials: Floats) -> Rows:
    """The keys of the largest mean weight."""
    score = (1 / state.total).astype(exponentials.dtype) @ exponentials
    count = min(HEAVY, len(score))
    least = np.partition(score, len(score) - count)[len(score) - count]
    heavier = np.flatnonzero(score > least)
    return np.concatenate([heavier, np.flatnonzero(score == least)[: count - len(heavier)]])


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


def slices_of(query: Floats, heads: int) -> F64:
    """The slices (H, d/H) of a query (d,) in float64."""
    return query.astype(np.float64).reshape(heads, -1)


def over_no_keys(mechanism: Mechanism, heads: int, normaliser: F64 | None) -> Weights:
    """The weights where there is no key to score."""
    nothing = np.empty((heads, 0), np.float32)
    lse = np.full(heads, -np.inf) if normaliser is None else normaliser
    return Weights(nothing[0].copy(), nothing[0].copy(), nothing, lse, kernel=mechanism.kernel)


def checked_heads(mechanism: Mechanism, query: Floats, num_heads: int | None) -> int:
    """The number of heads in effect for a query (d,); InvalidShape where they do not go together."""
    if query.ndim != 1 or not query.size:
        raise InvalidShape(f"query has the shape {query.shape}, it must be one vector, not empty")
    return parse_num_heads(mechanism, num_heads, query.size)


def checked_normaliser(normaliser: Floats | None, heads: int) -> F64 | None:
    """The normaliser (H,) in float64; InvalidOption where it does not fit."""
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
