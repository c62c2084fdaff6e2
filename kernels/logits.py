"""Logits of one query with many keys: fast by blocks in float32, and exact for chosen keys in float64."""

from __future__ import annotations

import numpy as np

from .arrays import F32, F64, Checkpoint, Floats, Rows, spans
from .errors import InvalidShape, NumericOverflow, OutOfDomain
from .mechanism import Scorer


class Exact:
    """Logits (H, len(rows)) of chosen keys in float64."""

    def __init__(self, scorer: Scorer, keys: F32, heads: int, checkpoint: Checkpoint) -> None:
        self._scorer, self._keys, self._heads, self._checkpoint = scorer, keys, heads, checkpoint

    def __call__(self, rows: Rows) -> F64:
        """Indexes of keys (c,) -> (H, c)."""
        out = np.empty((self._heads, len(rows)))
        for span in spans(len(rows), 8 * self._keys.shape[1]):
            self._scorer.logits(self._keys[rows[span]].astype(np.float64), out[:, span])
            self._checkpoint()
        return out


def score_keys(
    scorer: Scorer, query: Floats, keys: F32, rows: Rows | None, heads: int, checkpoint: Checkpoint
) -> tuple[F32, F32]:
    """Logits (H, n) and the bound (n,) on their rounding, by blocks of keys that stay in the cache.

    rows are the indexes of the keys that count, None for all. Raises NumericOverflow.
    """
    n = len(keys) if rows is None else len(rows)
    logits = np.empty((heads, n), np.float32)
    slack = np.empty(n, np.float32)
    for span in spans(n, 4 * keys.shape[1]):
        block = keys[span] if rows is None else keys[rows[span]]
        try:
            scorer.logits(block, logits[:, span])
        except OutOfDomain as error:
            place = span.start + (error.row or 0)
            raise error.at(place if rows is None else int(rows[place])) from None
        if not np.isfinite(logits[:, span]).all():
            place = span.start + int(np.flatnonzero(~np.isfinite(logits[:, span]).all(axis=0))[0])
            row = place if rows is None else int(rows[place])
            raise overflow(f"the logit of query and row {row}", query, keys[row], row=row)
        slack[span] = scorer.rounding(block)
        checkpoint()
    return logits, slack


def check_width(query: Floats, width: int) -> None:
    """Raise InvalidShape unless query (d,) is as wide as the keys."""
    if query.size != width:
        raise InvalidShape(f"query has {query.size} dimensions, keys have {width}")


def overflow(what: str, query: Floats, key: Floats, row: int | None = None) -> NumericOverflow:
    """The error for a logit, named by `what`, that float32 cannot hold."""
    largest = [float(np.abs(vector).max()) for vector in (query, key)]
    return NumericOverflow(
        f"{what} overflows single precision: their largest values are {largest[0]:g} and {largest[1]:g}",
        "Scale the vectors down, or raise the temperature.",
        row,
    )
