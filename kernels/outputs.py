"""What attention makes of values: outputs of many queries, with entropy and log-sum-exp, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .arrays import F32, F64, Checkpoint, Floats, by_heads, spans, uninterrupted
from .attend import attend, no_positions
from .batch import (
    Settings,
    check_heads_of_values,
    check_queries,
    weigh_batch,
    within_range,
)
from .errors import InvalidOption, NumericOverflow
from .ids import Ids
from .keyset import KeySet, as_keyset
from .linear.state import KernelState
from .mechanism import weighted_sum
from .positions import Positions
from .products import SINGLE, states, summed
from .softmax import State
from .tables import entropies_of_kind, softmax_table
from .weights import BatchWeights

_ASKED = 1024
"""Queries that are put to a state at once."""

_AVERAGED = 2**22
"""Elements of values in the means that are made at once, which takes some milliseconds."""

_DOUBLE = 1e6
"""Logits up to which float64 keeps weights to 1e-5 in a matrix product."""


@dataclass
class Outputs:
    """Outputs of consecutive queries.

    output (b, d_v). entropies (b, H): those of each head's weights in nats, NaN where they are no
    distribution; None where not wanted.
    lse (b, H). empty (b,): queries that see no key, whose other fields mean nothing.
    """

    output: F32
    entropies: F64 | None
    lse: F64
    empty: np.ndarray

    def __len__(self) -> int:
        return len(self.output)

    @property
    def entropy(self) -> F32 | None:
        """The mean over the heads (b,)."""
        return None if self.entropies is None else self.entropies.mean(axis=1).astype(np.float32)


def outputs(
    settings: Settings,
    queries: Floats,
    keys: F32 | KeySet,
    values: F32 | None,
    *,
    place: Callable[[int], Positions] | None = None,
    ids: Ids | None = None,
    columns: Mapping[str, F64] | None = None,
    entropy: bool = True,
    checkpoint: Checkpoint = uninterrupted,
) -> Iterator[Outputs]:
    """Outputs of queries (m, d) over keys (n, d) with values (n, d_v), None for the keys, in blocks, in
    order.

    place gives the positions for the query at an index, for mechanisms that know an order; ids and columns
    are as for `attend`. Entropy is left out, and a kernel mechanism keeps its state instead of weights,
    where `entropy` is False.
    """
    keys = as_keyset(keys)
    check_queries(settings, queries, keys)
    if settings.mechanism.own_outputs is not None:
        yield _of_layer(settings, queries, keys, values, place, checkpoint)
        return
    held = _own_values(settings, queries, keys, checkpoint) if values is None else KeySet(values)
    check_heads_of_values(settings.heads, held.shape[1])
    if not len(keys):
        yield _of_no_keys(len(queries), settings.heads, held.shape[1])
    elif settings.mechanism.weigh_batch is not None and len(queries):
        weights = weigh_batch(settings, queries, keys.dense(), columns, checkpoint)
        yield _of_batch(settings, weights, held, checkpoint)
    elif settings.mechanism.kernel and not entropy and within_range(settings, queries, keys, SINGLE):
        yield from _by_state(settings, queries, keys, held, checkpoint)
    elif within_range(settings, queries, keys, _DOUBLE):
        for state in states(settings, queries, keys, held, entropy, checkpoint):
            yield _of_sums(state, entropy)
    elif settings.mechanism.aggregate is not weighted_sum:
        yield from _of_means(settings, queries, keys, held, entropy, checkpoint)
    else:
        for row in range(len(queries)):
            yield _of_one(settings, queries[row], keys, held, place and place(row), ids, columns, checkpoint)


def _of_means(
    settings: Settings, queries: Floats, keys: KeySet, values: KeySet, entropy: bool, checkpoint: Checkpoint
) -> Iterator[Outputs]:
    """Blocks of a mechanism whose outputs are means in a space of its own, where it also scores in float64.

    What a mean takes of the values alone is computed once for a block.
    """
    step = max(1, _AVERAGED // (len(keys) * values.shape[1]))
    for start in range(0, len(queries), step):
        table, lse = softmax_table(settings, queries[start : start + step], keys, checkpoint)
        output = _aggregated(settings, table, values, checkpoint)
        found = entropies_of_kind(settings, table) if entropy else None
        yield Outputs(output, found, np.ascontiguousarray(lse.T), np.zeros(len(output), bool))
        checkpoint()


def _own_values(settings: Settings, queries: Floats, keys: KeySet, checkpoint: Checkpoint) -> KeySet:
    """The values that the keys themselves stand for."""
    own = settings.mechanism.own_values
    if own is None or not len(keys):
        return keys
    return KeySet(own(keys.dense(), queries.shape[1], settings.heads, settings.options, checkpoint))


def _of_no_keys(m: int, heads: int, width: int) -> Outputs:
    nothing = np.zeros((m, width), np.float32)
    return Outputs(nothing, np.zeros((m, heads)), np.full((m, heads), -np.inf), np.ones(m, bool))


def _of_one(
    settings: Settings,
    query: Floats,
    keys: KeySet,
    values: KeySet,
    positions: Positions | None,
    ids: Ids | None,
    columns: Mapping[str, F64] | None,
    checkpoint: Checkpoint,
) -> Outputs:
    """One query by `attend`, which takes every mechanism."""
    weights = attend(
        settings.mechanism,
        query,
        keys,
        **settings.for_attend,
        positions=positions,
        ids=ids,
        columns=columns,
        checkpoint=checkpoint,
    )
    seen = np.flatnonzero(~np.isnan(weights.logit))
    table = weights.head_scores[:, None, seen]
    lse = np.full((1, settings.heads), np.nan) if weights.lse is None else weights.lse[None]
    output = _aggregated(settings, table, KeySet(values[seen]), checkpoint)
    return Outputs(output, entropies_of_kind(settings, table), lse, np.array([not len(seen)]))


def _of_layer(
    settings: Settings,
    queries: Floats,
    keys: KeySet,
    values: F32 | None,
    place: Callable[[int], Positions] | None,
    checkpoint: Checkpoint,
) -> Outputs:
    """All queries of a mechanism that makes its outputs itself."""
    mechanism = settings.mechanism
    if values is not None:
        raise InvalidOption(
            f"values are given, {mechanism.name} with a model makes its own of the keys", "Leave them out."
        )
    if not len(keys) or not len(queries):
        return _of_no_keys(len(queries), settings.heads, keys.shape[1])
    if place is None:
        raise no_positions(mechanism)
    assert mechanism.own_outputs is not None
    positions = [place(row) for row in range(len(queries))]
    none = np.full((len(queries), 1), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        output = mechanism.own_outputs(queries, keys, positions, checkpoint).astype(np.float32)
    empty = np.array([position.query_rank < 0 for position in positions])
    return Outputs(finite(output), none, none, empty)


def _of_batch(settings: Settings, weights: BatchWeights, values: KeySet, checkpoint: Checkpoint) -> Outputs:
    """All queries of a mechanism that weighs them together."""
    table = weights.head_scores
    lse = np.full((table.shape[1], settings.heads), np.nan)
    output = _aggregated(settings, table, values, checkpoint)
    return Outputs(output, entropies_of_kind(settings, table), lse, np.zeros(table.shape[1], bool))


def _of_sums(state: State, entropy: bool) -> Outputs:
    """The outputs of a softmax over all keys, with the output that `states` gives."""
    assert state.output is not None
    means, entropies = state.output / state.total[:, :, None], None
    lse = np.ascontiguousarray(state.lse.T)
    if entropy:
        entropies = np.maximum(lse - means[:, :, -1].T, 0)
        means = means[:, :, :-1]
    with np.errstate(over="ignore", invalid="ignore"):
        output = finite(_joined(means))
    return Outputs(output, entropies, lse, np.zeros(len(lse), bool))


def _by_state(
    settings: Settings, queries: Floats, keys: KeySet, values: KeySet, checkpoint: Checkpoint
) -> Iterator[Outputs]:
    """A kernel mechanism's outputs by its state: one pass over the keys."""
    state = KernelState(settings, values.shape[1])
    for span in spans(len(keys), 4 * keys.shape[1]):
        state.add(keys[span], values[span])
        checkpoint()
    for start in range(0, len(queries), _ASKED):
        output, lse = state.attend(queries[start : start + _ASKED])
        yield Outputs(_joined(output), None, np.ascontiguousarray(lse.T), np.zeros(lse.shape[1], bool))
        checkpoint()


def _aggregated(settings: Settings, table: Floats, values: KeySet, checkpoint: Checkpoint) -> F32:
    """Outputs (b, d_v) of weights (H, b, n) and values (n, d_v)."""
    with np.errstate(over="ignore", invalid="ignore"):
        if settings.mechanism.aggregate is weighted_sum:
            output = _joined(summed(settings.heads, table, values, 0, checkpoint))
        else:
            slices = by_heads(values.dense(), settings.heads).transpose(1, 0, 2)
            output = _joined(settings.mechanism.aggregate(table, slices, settings.options, checkpoint))
    return finite(output)


def finite(output: F32) -> F32:
    """The output, every number of which float32 must hold; NumericOverflow otherwise."""
    if not np.isfinite(output).all():
        raise NumericOverflow("an output overflows single precision", "Scale the vectors or the values down.")
    return output


def _joined(output: Floats) -> F32:
    """Outputs of heads (H, b, w) side by side (b, H * w), row by row in memory as hosts read them."""
    return np.ascontiguousarray(output.transpose(1, 0, 2).reshape(output.shape[1], -1), np.float32)


def windows(n: int, size: int, stride: int) -> list[tuple[int, int]]:
    """First and last + 1 of each window over n positions; the last window is the first that reaches n."""
    found = []
    for start in range(0, n, stride):
        found.append((start, min(start + size, n)))
        if start + size >= n:
            break
    return found
