"""Attention of a set of query vectors over rows that are sets of vectors themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arrays import Checkpoint, Floats, uninterrupted
from .attend import checked_normaliser, over_no_keys
from .errors import InvalidShape
from .mechanism import Mechanism, parse_options, parse_temperature
from .sets import SetProblem, VectorSets
from .weights import Weights


def attend_sets(
    mechanism: Mechanism,
    queries: Floats,
    sets: VectorSets,
    *,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
    normaliser: Floats | None = None,
    checkpoint: Checkpoint = uninterrupted,
) -> Weights:
    """Scores of the query vectors (t, p), as one query, over the sets; a mechanism that has `weigh_sets`.

    Arguments and errors are those of `attend.attend`.
    """
    assert mechanism.weigh_sets is not None
    divisor = parse_temperature(mechanism, temperature)
    chosen = parse_options(mechanism, options or {})
    whole = checked_normaliser(normaliser, 1)
    if not len(sets):
        return over_no_keys(mechanism, 1, whole)
    if queries.shape[1] != sets.vectors.shape[1]:
        raise InvalidShape(
            f"queries have {queries.shape[1]} dimensions, keys have {sets.vectors.shape[1]}",
            "Both must come from the same model.",
        )
    wide = queries.astype(np.float64)
    return mechanism.weigh_sets(SetProblem(wide, sets, divisor, chosen, whole, checkpoint))
