"""Attention of many queries by matrix products, over blocks of keys whose softmax states are merged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
import numpy.typing as npt

from .arrays import F32, Checkpoint, Floats, by_heads, spans
from .batch import ManyQueries, Settings, within_range
from .keyset import KeySet
from .softmax import State, merge

_TABLE_BYTES = 2 * 1024 * 1024
"""Weights of a block of queries and a block of keys, the sums of which are kept, not the weights."""

_KEYS = 16384
"""Keys of a block at most: few queries with all keys would make a table as large as the keys are many."""

_QUERIES = 256
"""Queries of a block: enough for matrix products at full speed."""

SINGLE = 20.0
"""Logits up to which float32 keeps weights to 1e-5 in a matrix product."""


def states(
    settings: Settings, queries: Floats, keys: KeySet, values: KeySet, entropy: bool, checkpoint: Checkpoint
) -> Iterator[State]:
    """The softmax (H, b) of each block of queries (m, d) over all keys, n >= 1, with the output (H, b, w).

    Where the entropy is wanted, the sum of the logits is a last column of the output.
    """
    n, heads = len(keys), settings.heads
    single = within_range(settings, queries, keys, SINGLE)
    dtype = np.float32 if single else np.float64
    for start in range(0, len(queries), _QUERIES):
        many = ManyQueries(settings, queries[start : start + _QUERIES], dtype)
        step = min(_KEYS, max(1, _TABLE_BYTES // (np.dtype(dtype).itemsize * heads * len(many))))
        table = np.empty((heads, len(many), min(step, n)), dtype)
        parts = (
            _of_some_keys(
                settings, many, keys, values, slice(first, min(first + step, n)), table, entropy, checkpoint
            )
            for first in range(0, n, step)
        )
        yield reduce(merge, parts)


def _of_some_keys(
    settings: Settings,
    many: ManyQueries,
    keys: KeySet,
    values: KeySet,
    some: slice,
    table: Floats,
    entropy: bool,
    checkpoint: Checkpoint,
) -> State:
    """The same of one block of queries over a slice of the keys; table: memory for logits or kernels."""
    weights, width = table[:, :, : some.stop - some.start], keys.shape[1]
    for span in spans(weights.shape[2], table.itemsize * width):
        block = keys[some.start + span.start : some.start + span.stop]
        many.products(block.astype(table.dtype, copy=False), weights[:, :, span])
        checkpoint()
    logits = _logits(settings, weights) if entropy else None
    if settings.mechanism.kernel:
        maximum = np.zeros(weights.shape[:2])
    else:
        maximum = weights.max(axis=2)
        weights -= maximum[:, :, None]
        np.exp(weights, out=weights)
    total = weights.sum(axis=2, dtype=np.float64)
    # sums of values that float32 just holds would not fit into it
    weights *= (1 / total)[:, :, None].astype(weights.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        means: Floats = summed(settings.heads, weights, values, some.start, checkpoint)
        if logits is not None:
            logits *= weights
            of_logits = logits.sum(axis=2, dtype=np.float64)
            means = np.concatenate([means, of_logits[:, :, None]], axis=2)
        return State(maximum, total, means * total[:, :, None])


def _logits(settings: Settings, table: Floats) -> Floats:
    """The logits of a table of them, or of kernels."""
    if settings.mechanism.kernel:
        return np.asarray(np.log(np.maximum(table, np.finfo(table.dtype).tiny)))
    logits: Floats = table.copy()
    return logits


def summed(heads: int, table: Floats, values: KeySet, first: int, checkpoint: Checkpoint) -> Floats:
    """Sums (H, b, w) by weights (H, b, c) of the values from index `first` on, block by block.

    Values in a copy that all share stay there.
    """
    output = np.zeros((*table.shape[:2], values.shape[1] // heads), table.dtype)
    for span in spans(table.shape[2], table.itemsize * values.shape[1]):
        block = values[first + span.start : first + span.stop]
        output += table[:, :, span] @ _by_head(heads, block, table.dtype)
        checkpoint()
    return output


def _by_head(heads: int, values: F32, dtype: npt.DTypeLike) -> Floats:
    """Values (n, d_v) by heads (H, n, w)."""
    slices: Floats = by_heads(values.astype(dtype, copy=False), heads).transpose(1, 0, 2)
    return slices
