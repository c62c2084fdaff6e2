"""Tables of the weights of many queries: the softmax in float64, and entropies."""

from __future__ import annotations

import numpy as np

from .arrays import F64, Checkpoint, Floats
from .attend import slices_of
from .batch import Settings
from .keyset import KeySet
from .logits import exact_logits
from .problem import Problem
from .softmax import plain_softmax


def softmax_table(
    settings: Settings, queries: Floats, keys: KeySet, checkpoint: Checkpoint
) -> tuple[F64, F64]:
    """Weights (H, b, n) of queries (b, d) by exact logits, pair by pair, and their log-sum-exp (H, b)."""
    mechanism, options, ids = settings.mechanism, settings.options, np.arange(len(keys))
    logits = np.empty((settings.heads, len(queries), len(keys)))
    for place, query in enumerate(queries):
        asked = slices_of(query, settings.heads)
        problem = Problem(asked, keys, ids, settings.temperature, options, None, None, {}, checkpoint)
        logits[:, place] = exact_logits(mechanism, problem)
    return plain_softmax(logits)


def entropies_of_kind(settings: Settings, table: Floats) -> F64:
    """The entropies of weights that are a distribution; NaN for others, which have none."""
    if settings.mechanism.weight_kind == "S":
        return np.full((table.shape[1], len(table)), np.nan)
    return _entropies(table)


def _entropies(table: Floats) -> F64:
    """The entropies (b, H) of weights (H, b, n), in nats; rows of nothing have none."""
    tiny = np.finfo(table.dtype).tiny
    terms: Floats = table * np.log(np.maximum(table, tiny))
    result: F64 = np.maximum(-terms.sum(axis=2, dtype=np.float64).T, 0)
    return result
