"""The top k rows of one query from keys in fewer bits: the answer that float32 keys give, proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..arrays import EPS32, F32, F64, Checkpoint, Floats, Present, Rows, uninterrupted
from ..attend import HEAVY, attend, in_effect, over_no_keys, slices_of
from ..core.dot import exact_dots
from ..ids import Ids
from ..keyset import KeySet
from ..logits import check_width
from ..mechanism import Mechanism
from ..ranking import best_of_logits, best_of_weights
from ..softmax import State, given_state, state_of
from ..weights import Answer, Weights
from .codes import Level
from .estimate import Bound, TooManyError
from .order import Softmax, least_of_best, settle_order
from .proof import Proof, stored

ExactKeys = Callable[[npt.NDArray[np.int64]], F32]
"""Indexes (c,) of stored rows -> their keys (c, d)."""

_SHARE = 10
"""One row in so many may be read exactly."""

_FEW = 1024
"""Rows that may all be read exactly."""


def search(
    mechanism: Mechanism,
    query: Floats,
    precisions: Sequence[Level],
    present: Present | None,
    exact_keys: ExactKeys,
    ids: Ids,
    k: int,
    *,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
    normaliser: Floats | None = None,
    threads: int = 1,
    checkpoint: Checkpoint = uninterrupted,
) -> Answer:
    """The k best rows for a query (d,), in the order that they have by `attend`.

    precisions: the `levels` that keys are stored in; without the sums of their residuals high temperatures
    need many exact keys. present (n,): the stored rows that count, ascending, None for all. exact_keys reads
    float32 keys by stored row. ids (n,) decide between equal rows.
    Everything else is as of `attend`. Raises TooManyError where the answer cannot be proved from few exact
    keys, or might overflow, and what `attend` raises.
    """
    heads, divisor, chosen, given = in_effect(mechanism, query, num_heads, temperature, options, normaliser)
    finest = precisions[-1]
    n = len(finest) if present is None else len(present)
    if not n:
        return best_of_weights(over_no_keys(mechanism, heads, given), ids, k)
    check_width(mechanism, query.size, finest.width, heads, chosen)
    assert mechanism.features is not None
    scaled = np.asarray(mechanism.features.queries(slices_of(query, heads), divisor, chosen), np.float64)
    reader = _Reader(scaled, slice(0, n) if present is None else present, exact_keys, ids, checkpoint)
    k = min(k, n)
    with np.errstate(all="ignore"):
        if n <= _FEW:
            by_float32 = partial(
                attend,
                mechanism,
                query,
                num_heads=heads,
                temperature=divisor,
                options=chosen,
                normaliser=given,
            )
            return _of_all(reader, Bound(scaled, finest), given, k, by_float32)
        bounds = [Bound(scaled, level) for level in precisions]
        make = partial(Proof, present=present, closely=given is None, threads=threads, checkpoint=checkpoint)
        for bound, finer in pairwise(bounds):
            with suppress(TooManyError):
                return reader.answer(_prove(reader, make(bound, finer), given, k), k)
        return reader.answer(_prove(reader, make(bounds[-1], None), given, k), k)


class _Reader:
    """Rows of which the exact keys have been read: `rows` (c,), and their float64 logits `exact` (H, c)."""

    def __init__(
        self,
        scaled: F64,
        present: Present | slice,
        exact_keys: ExactKeys,
        ids: Ids,
        checkpoint: Checkpoint,
    ) -> None:
        """scaled: the query (H, w), scaled as logits are. ids (n,): of all rows."""
        self._scaled, self._ids = scaled, ids
        self._present, self._exact_keys, self._checkpoint = present, exact_keys, checkpoint
        self.n = len(ids)
        self.rows, self.exact = np.empty(0, np.intp), np.empty((len(scaled), 0))
        self._known = np.zeros(self.n, bool)

    @property
    def left(self) -> int:
        """How many more rows may be read."""
        return max(self.n // _SHARE, _FEW) - len(self.rows)

    def read(self, rows: Rows) -> tuple[Rows, F64]:
        """Read those of the rows that are new: (these, their logits); TooManyError if they are too many."""
        new = np.sort(rows[~self._known[rows]])
        if not len(new):
            return new, np.empty((len(self.exact), 0))
        if len(new) > self.left:
            raise TooManyError("too many keys may be among the best")
        logits = exact_dots(self._scaled, KeySet(self.keys(new)), None, self._checkpoint)
        self._known[new] = True
        self.rows = np.concatenate([self.rows, new])
        self.exact = np.concatenate([self.exact, logits], axis=1)
        return new, logits

    def keys(self, rows: Rows) -> F32:
        """The float32 keys (c, d) of rows."""
        return self._exact_keys(np.asarray(stored(self._present, rows), np.int64))

    def of_all(self, values: F32) -> F32:
        """Of values of stored rows those (n,) of all rows that count."""
        return values[self._present]

    def answer(self, whole: State, k: int) -> Answer:
        """The best of the rows that were read."""
        answer = best_of_logits(self.rows, self._ids[self.rows], self.exact, whole, k)
        if not np.isfinite(answer.head_scores).all():
            raise TooManyError("a normaliser that is less than the logits")
        return answer

    def answer_in_float32(self, attend_to: Callable[[F32], Weights], k: int) -> Answer:
        """The best of all rows, as their float32 keys have it."""
        return best_of_weights(attend_to(self.keys(np.arange(self.n))), self._ids, k)


def _prove(reader: _Reader, proof: Proof, given: F64 | None, k: int) -> State:
    """Read the rows that the k best are among; the softmax over all keys."""
    count = max(k, HEAVY)
    proof.learn(reader.rows, reader.exact)
    proof.learn(*reader.read(proof.heaviest(count)))
    while given is None and not proof.is_close():
        count = max(proof.needed(count + reader.left), count + count // 2)
        proof.learn(*reader.read(proof.heaviest(count)))
    softmax = _softmax(proof, given)
    rivals, exact = reader.read(proof.rivals(least_of_best(reader.exact, softmax, k), softmax))
    if len(rivals):
        proof.learn(rivals, exact)
        softmax = _softmax(proof, given)
    if given is None:
        softmax = Softmax(
            softmax.state, softmax.off + _of_float32(reader, softmax.state, proof.off_in_float32)
        )
    settle_order(reader.exact, softmax, k)
    return softmax.state


def _of_all(
    reader: _Reader, bound: Bound, given: F64 | None, k: int, by_float32: Callable[[F32], Weights]
) -> Answer:
    """The answer from few keys, all of which are read; where rounding decides, it is float32's."""
    scale, largest = reader.of_all(bound.level.scale), reader.of_all(bound.level.largest)
    bound.reach(scale.max(), largest.max())
    _, exact = reader.read(np.arange(reader.n))
    whole = state_of(exact) if given is None else given_state(given)
    try:
        settle_order(exact, Softmax(whole, np.zeros(len(exact))), k)
    except TooManyError:
        return reader.answer_in_float32(by_float32, k)
    return reader.answer(whole, k)


def _of_float32(reader: _Reader, state: State, rounding: float) -> float:
    """How far the log-sum-exp of `attend` can be off, of which the heaviest keys alone are exact."""
    if reader.n <= HEAVY:
        return 0.0
    totals = np.sort(state.weights(reader.exact).sum(axis=0))
    rest = len(reader.exact) - float(totals[-HEAVY:].sum())
    return min(1.0, max(0.0, rest)) * (rounding + 32 * EPS32)


def _softmax(proof: Proof, given: F64 | None) -> Softmax:
    if given is None:
        return proof.softmax()
    return Softmax(given_state(given), np.zeros(len(given)))
