"""The keys most alike to each key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows, spans
from ..fits import LastFit


class Neighbours(NamedTuple):
    """rows (n, k): indexes of the k keys of the largest cosine to each key, best first; cosines (n, k)."""

    rows: Rows
    cosines: F64


def unit_rows(vectors: F32 | F64) -> F64:
    """The vectors (n, d) at length 1 in float64; the zero vector, which is like nothing, stays what it is."""
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    result: F64 = wide / np.where(lengths > 0, lengths, 1)[:, None]
    return result


def largest(table: F64, k: int) -> Rows:
    """Columns (b, k) of the k largest of each row of a table (b, n), in order; of equal ones the first."""
    if not k:
        return np.empty((len(table), 0), np.intp)
    cut = table.shape[1] - k
    least = np.partition(table, cut, axis=1)[:, cut, None]
    chosen = table >= least
    tied = np.flatnonzero(chosen.sum(axis=1) > k)
    if len(tied):
        above, equal = table[tied] > least[tied], table[tied] == least[tied]
        room = k - above.sum(axis=1)
        chosen[tied] = above | (equal & (np.cumsum(equal, axis=1) <= room[:, None]))
    columns = np.nonzero(chosen)[1].reshape(len(table), k)
    order = np.argsort(-np.take_along_axis(table, columns, axis=1), axis=1, kind="stable")
    result: Rows = np.take_along_axis(columns, order, axis=1)
    return result


def _neighbours(keys: F32, count: int, checkpoint: Checkpoint) -> Neighbours:
    """Never holds more than a block of the n x n cosines; of equally near keys the first count."""
    units, n = unit_rows(keys), len(keys)
    k = min(count, n - 1)
    rows, cosines = np.empty((n, k), np.intp), np.empty((n, k))
    for span in spans(n, 8 * n):
        table = units[span] @ units.T
        table[np.arange(len(table)), np.arange(span.start, span.stop)] = -np.inf
        rows[span] = largest(table, k)
        cosines[span] = np.take_along_axis(table, rows[span], axis=1)
        checkpoint()
    return Neighbours(rows, cosines)


NEAREST_KEYS = LastFit(_neighbours)
"""Keys (n, d) and a number k -> Neighbours of each key, at most k and none of it itself."""
