"""Principal components of rows, out of products of rows or of dimensions, whichever are fewer."""

from __future__ import annotations

import numpy as np

from .arrays import F32, F64, Checkpoint, spans
from .eigen import eigh
from .long_products import pieces, product

EPS = float(np.finfo(np.float64).eps)

_ROWS = 256
"""Rows whose products are added at a time: enough for a matrix product at full speed."""


def components(rows: F32, mean: F64 | float, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (m,) ascending, directions (d, m)) of rows (n, d) less their mean, m = min(n, d).

    The values are squared lengths. A direction in which the rows have no extent may be 0.
    """
    n, d = rows.shape
    if n < d:
        return _by_rows(rows, mean, checkpoint)
    products = np.zeros((d, d))
    for start in range(0, n, _ROWS):
        block = rows[start : start + _ROWS] - np.asarray(mean, np.float64)
        for span in pieces(d, block.size):
            products[span] += block[:, span].T @ block
            checkpoint()
    return eigh(products, checkpoint)


def mean_of(rows: F32, checkpoint: Checkpoint) -> F64:
    """The mean (d,) of rows (n, d)."""
    total = np.zeros(rows.shape[1])
    for span in spans(len(rows), 8 * rows.shape[1]):
        total += rows[span].sum(axis=0, dtype=np.float64)
        checkpoint()
    return total / len(rows)


def _by_rows(rows: F32, mean: F64 | float, checkpoint: Checkpoint) -> tuple[F64, F64]:
    n, d = rows.shape
    centred = np.empty((n, d))
    for span in spans(n, 8 * d):
        np.subtract(rows[span], mean, out=centred[span])
        checkpoint()
    values, mixed = eigh(product(centred, centred.T, checkpoint), checkpoint)
    extended = values > values[-1] * n * EPS
    lengths = np.where(extended, np.sqrt(np.maximum(values, 0)), np.inf)
    for span in spans(n, 8 * n):
        mixed[span] /= lengths
        checkpoint()
    return values, product(centred.T, mixed, checkpoint)
