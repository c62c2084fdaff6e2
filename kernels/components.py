"""Principal components of rows, out of products of rows or of dimensions, whichever are fewer."""

from __future__ import annotations

import numpy as np

from .arrays import F32, F64, Checkpoint, spans

EPS = float(np.finfo(np.float64).eps)


def components(rows: F32, mean: F64 | float, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (m,) ascending, directions (d, m)) of rows (n, d) less their mean, m = min(n, d).

    The values are squared lengths. A direction in which the rows have no extent may be 0. Nothing interrupts
    LAPACK, which takes minutes for the products of 16,384 dimensions: those of a few rows take no time.
    """
    n, d = rows.shape
    if n < d:
        return _by_rows(rows.astype(np.float64) - mean, checkpoint)
    products = np.zeros((d, d))
    for span in spans(n, 8 * d):
        block = rows[span] - np.asarray(mean, np.float64)
        products += block.T @ block
        checkpoint()
    values, directions = np.linalg.eigh(products)
    return values, directions


def _by_rows(rows: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    n, d = rows.shape
    products = np.empty((n, n))
    for span in spans(n, 8 * d):
        np.matmul(rows[span], rows.T, out=products[span])
        checkpoint()
    values, mixed = np.linalg.eigh(products)
    extended = values > values[-1] * n * EPS
    lengths = np.where(extended, np.sqrt(np.maximum(values, 0)), np.inf)
    directions: F64 = rows.T @ (mixed / lengths)
    return values, directions
