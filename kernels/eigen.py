"""Eigenvectors of symmetric matrices in pieces, between which a cancel gets in."""

from __future__ import annotations

import math

import numpy as np

from .arrays import F64, Checkpoint
from .long_products import pieces
from .tridiagonal import AT_ONCE, eigh_tridiagonal

_PANEL = 64
"""Reflections that are applied together, by matrix products."""


def eigh(matrix: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (n,) ascending, vectors (n, n) in columns) of a symmetric matrix (n, n), which is overwritten.

    Nothing interrupts LAPACK, which a large matrix would keep for seconds: that is made tridiagonal here, by
    Householder's reflections in panels (Dongarra, Hammarling and Sorensen 1989).
    """
    if len(matrix) <= AT_ONCE:
        values, vectors = np.linalg.eigh(matrix)
        return values, vectors
    diagonal, beside = _tridiagonal(matrix, checkpoint)
    values, vectors = eigh_tridiagonal(diagonal, beside, checkpoint)
    _reflect(matrix, vectors, checkpoint)
    return values, vectors


def _tridiagonal(matrix: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(diagonal (n,), what is beside it (n - 1,)) after reflections I - v v^T, v in the column it clears."""
    n = len(matrix)
    diagonal, beside = np.empty(n), np.empty(n - 1)
    for start in range(0, n - 2, _PANEL):
        stop = min(start + _PANEL, n - 2)
        v, w = np.zeros((2, n, stop - start))
        for place, at in enumerate(range(start, stop)):
            column = matrix[at:, at] - v[at:] @ w[at] - w[at:] @ v[at]
            diagonal[at] = column[0]
            v[at + 1 :, place], beside[at] = _reflection(column[1:])
            w[at + 1 :, place] = _image(matrix, v, w, place, at + 1, checkpoint)
        left, right = np.hstack([v, w])[stop:], np.hstack([w, v])[stop:].T
        for span in pieces(n - stop, right.size):
            matrix[stop:, stop:][span] -= left[span] @ right
            checkpoint()
        matrix[:, start:stop] = v
    diagonal[-2:], beside[-1] = matrix.diagonal()[-2:], matrix[-1, -2]
    return diagonal, beside


def _reflection(column: F64) -> tuple[F64, float]:
    """(v with which I - v v^T takes all of a column to its first element, that element); v may be 0."""
    if not np.linalg.norm(column[1:]):
        return np.zeros(len(column)), float(column[0])
    length = float(np.linalg.norm(column))
    sign = math.copysign(1, column[0])
    v = column * (sign / length)
    v[0] += 1
    return v / math.sqrt(v[0]), -sign * length


def _image(matrix: F64, v: F64, w: F64, place: int, first: int, checkpoint: Checkpoint) -> F64:
    """The w for the last v: reflected from both sides, the matrix is itself less v w^T + w v^T.

    The matrix has yet to be reflected by the other v of the panel.
    """
    latest, before, others = v[first:, place], v[first:, :place], w[first:, :place]
    image = np.empty(len(latest))
    for span in pieces(len(latest), 16 * len(latest)):  # memory is what takes the time
        np.matmul(matrix[first:, first:][span], latest, out=image[span])
        checkpoint()
    image -= before @ (others.T @ latest) + others @ (before.T @ latest)
    image -= (image @ latest / 2) * latest
    return image


def _reflect(reflections: F64, vectors: F64, checkpoint: Checkpoint) -> None:
    """Apply the reflections that _tridiagonal left in columns to vectors (n, n), the last one first."""
    for start in reversed(range(0, len(vectors) - 2, _PANEL)):
        v = reflections[start + 1 :, start : min(start + _PANEL, len(vectors) - 2)]
        mixed = v @ np.linalg.inv(np.triu(v.T @ v, 1) + np.eye(v.shape[1]))
        part = vectors[start + 1 :]
        for span in pieces(len(vectors), 2 * v.size):
            part[:, span] -= mixed @ (v.T @ part[:, span])
            checkpoint()
