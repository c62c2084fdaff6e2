"""Logits of one query with many keys: fast by blocks in float32, and exact for chosen keys in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import F32, F64, MAX32, Checkpoint, Floats, Rows, spans
from .errors import InvalidShape, NumericOverflow, OutOfDomain
from .keyset import KeySet
from .mechanism import Mechanism, Scorer
from .problem import Options, Problem


class Scorers:
    """The scorer of a problem's query for the keys at some indexes: of every key the same, or one by ages."""

    def __init__(self, mechanism: Mechanism, problem: Problem, dtype: type) -> None:
        """dtype: that of the keys to come."""
        given = (problem.query, problem.temperature, problem.options, dtype)
        self.floats = mechanism.floats(problem.keyset.shape[1], problem.options)
        self._of_ages = mechanism.scorer_of_ages and mechanism.scorer_of_ages(*given)
        self._ages = None if self._of_ages is None else problem.ages
        self._same = mechanism.scorer(*given) if self._of_ages is None else None

    @property
    def same(self) -> Scorer | None:
        """The scorer of every key, where it is one."""
        return self._same

    def of(self, rows: Rows | slice) -> Scorer:
        """The scorer of the keys at these indexes."""
        if self._same is not None:
            return self._same
        assert self._of_ages is not None
        assert self._ages is not None
        return self._of_ages(self._ages[rows])


class Exact:
    """Logits (H, len(rows)) of chosen keys in float64."""

    def __init__(self, mechanism: Mechanism, problem: Problem) -> None:
        self._scorers = Scorers(mechanism, problem, np.float64)
        self._keys, self._heads, self._checkpoint = problem.keyset, len(problem.query), problem.checkpoint

    def __call__(self, rows: Rows) -> F64:
        """Indexes of keys (c,) -> (H, c)."""
        floats = self._scorers.floats
        return in_float64(self._scorers.of, self._keys, rows, self._heads, floats, self._checkpoint)


def in_float64(
    scorer_of: Callable[[Rows], Scorer],
    keys: KeySet,
    rows: Rows,
    heads: int,
    floats: int,
    checkpoint: Checkpoint,
) -> F64:
    """Logits (H, c) of the keys at indexes (c,), by blocks; scorer_of: that of some of them, in float64.

    floats: numbers held to score a key.
    """
    out = np.empty((heads, len(rows)))
    for span in spans(len(rows), 8 * floats):
        chosen = rows[span]
        try:
            scorer_of(chosen).logits(keys[chosen].astype(np.float64), out[:, span])
        except OutOfDomain as error:
            raise error.at(int(chosen[error.row or 0])) from None
        checkpoint()
    return out


def exact_logits(mechanism: Mechanism, problem: Problem, rows: Rows | None = None) -> F64:
    """float64 logits (H, c) of keys at these indexes (c,), None for all; NumericOverflow beyond float32."""
    rows = np.arange(len(problem.keyset)) if rows is None else rows
    with np.errstate(all="ignore"):
        logits = Exact(mechanism, problem)(rows)
    check_range(problem, rows, logits)
    return logits


def check_range(problem: Problem, rows: Rows, logits: F64) -> None:
    """Raise NumericOverflow unless float32 holds the logits (H, c) of keys at these indexes (c,)."""
    fits = (np.abs(logits) <= MAX32).all(axis=0)
    if not fits.all():
        row = int(rows[np.argmin(fits)])
        query = problem.query.reshape(-1)
        raise overflow(f"the logit of query and row {row}", query, problem.keyset[row], row=row)


def score_keys(
    scorers: Scorers, query: Floats, keys: KeySet, rows: Rows | None, heads: int, checkpoint: Checkpoint
) -> tuple[F32, F32]:
    """Logits (H, n) and the bound (n,) on their rounding, by blocks of keys that stay in the cache.

    rows are the indexes of the keys that count, None for all. Raises NumericOverflow.
    """
    n = len(keys) if rows is None else len(rows)
    logits = np.empty((heads, n), np.float32)
    slack = np.empty(n, np.float32)
    for span in spans(n, 4 * scorers.floats):
        if rows is not None or not _score_around(scorers, keys, span, logits, slack):
            _score_block(scorers, keys, span, rows, logits, slack)
        if not np.isfinite(logits[:, span]).all():
            place = span.start + int(np.flatnonzero(~np.isfinite(logits[:, span]).all(axis=0))[0])
            row = place if rows is None else int(rows[place])
            raise overflow(f"the logit of query and row {row}", query, keys[row], row=row)
        checkpoint()
    return logits, slack


def _score_block(
    scorers: Scorers, keys: KeySet, span: slice, rows: Rows | None, logits: F32, slack: F32
) -> None:
    """Score the keys of a slice, or those at a slice of `rows`."""
    places = span if rows is None else rows[span]
    block, scorer = keys[places], scorers.of(places)
    try:
        scorer.logits(block, logits[:, span])
    except OutOfDomain as error:
        place = span.start + (error.row or 0)
        raise error.at(place if rows is None else int(rows[place])) from None
    slack[span] = scorer.rounding(block)


def _score_around(scorers: Scorers, keys: KeySet, span: slice, logits: F32, slack: F32) -> bool:
    """Score the rows among which the keys of a slice lie, and keep theirs; False where that does not pay.

    Rows that are not present may hold anything, such as what is out of the mechanism's domain.
    """
    around = keys.around(span)
    if around is None or scorers.same is None:
        return False
    block, places = around
    wide = np.empty((len(logits), len(block)), np.float32)
    try:
        scorers.same.logits(block, wide)
    except OutOfDomain:
        return False
    np.take(wide, places, axis=1, out=logits[:, span])
    rounding = scorers.same.rounding(block)
    slack[span] = rounding if np.ndim(rounding) == 0 else np.asarray(rounding)[places]
    return True


def check_width(mechanism: Mechanism, query_width: int, key_width: int, heads: int, options: Options) -> None:
    """Raise InvalidShape unless keys of this width go with a query of that width."""
    fitting = mechanism.key_widths(query_width, heads, options)
    if key_width not in fitting:
        others = [str(width) for width in fitting if width != query_width]
        hint = f"{mechanism.name} takes keys of {query_width} or {' or '.join(others)} dimensions here."
        message = f"query has {query_width} dimensions, keys have {key_width}"
        raise InvalidShape(message, hint if others else None)


def overflow(what: str, query: Floats, key: Floats, row: int | None = None) -> NumericOverflow:
    """The error for a logit, named by `what`, that float32 cannot hold."""
    largest = [float(np.abs(vector).max()) for vector in (query, key)]
    return NumericOverflow(
        f"{what} overflows single precision: their largest values are {largest[0]:g} and {largest[1]:g}",
        "Scale the vectors down, or raise the temperature.",
        row,
    )
