"""Eigenvectors of symmetric tridiagonal matrices by division into halves (Cuppen 1981)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import F64, Checkpoint, Rows, spans
from .long_products import product
from .secular import secular_vectors

AT_ONCE = 512
"""Order of a matrix that LAPACK is given, which takes it 10 ms."""

_EPS = float(np.finfo(np.float64).eps)


def eigh_tridiagonal(diagonal: F64, beside: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (n,) ascending, vectors (n, n) in columns); beside (n - 1,) is next to the diagonal (n,)."""
    scale = max(float(np.abs(diagonal).max()), float(np.abs(beside).max(initial=0))) or 1.0
    values, vectors = _solve(diagonal / scale, beside / scale, checkpoint)
    return values * scale, vectors


def _solve(diagonal: F64, beside: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    checkpoint()
    n = len(diagonal)
    if n <= AT_ONCE:
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, -1))
        return values, vectors
    half, between = n // 2, float(beside[n // 2 - 1])
    diagonal = diagonal.copy()
    diagonal[half - 1 : half + 1] -= abs(between)
    upper, above = _solve(diagonal[:half], beside[: half - 1], checkpoint)
    lower, below = _solve(diagonal[half:], beside[half:], checkpoint)
    # what was taken out is abs(between) u u^T; u is 1 at the two middle places but for a sign, else 0
    z = np.concatenate([above[-1], below[0] if between >= 0 else -below[0]]) / np.sqrt(2)
    values, mixing = _updated(np.concatenate([upper, lower]), z, 2 * abs(between), checkpoint)
    vectors = np.empty((n, n))
    product(above, mixing[:half], checkpoint, vectors[:half])
    product(below, mixing[half:], checkpoint, vectors[half:])
    return values, vectors


def _updated(d: F64, z: F64, rho: float, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """(values (n,) ascending, vectors (n, n) in columns) of diag(d) + rho z z^T, z of length 1."""
    order = np.argsort(d, kind="stable")
    d, z = d[order], z[order]
    kept, rotations = _deflated(d, z, rho)
    d[kept], mixed = secular_vectors(d[kept], z[kept], rho, checkpoint)
    ascending = np.argsort(d, kind="stable")
    vectors = np.zeros((len(d), len(d)))
    row_of_mixed = np.full(len(d), -1)
    row_of_mixed[kept] = np.arange(len(kept))
    for span in spans(len(d), vectors.itemsize * len(d)):
        rows = row_of_mixed[ascending[span]]
        alone = np.flatnonzero(rows < 0)
        vectors[span.start + alone, order[ascending[span][alone]]] = 1
        vectors[np.ix_(span.start + np.flatnonzero(rows >= 0), order[kept])] = mixed[rows[rows >= 0]]
        checkpoint()
    for first, second, cosine, sine in reversed(rotations):
        pair = vectors[:, order[[first, second]]]
        vectors[:, order[[first, second]]] = pair @ [[cosine, sine], [-sine, cosine]]
        checkpoint()
    return d[ascending], vectors.T


class _Rotation(NamedTuple):
    first: int
    second: int
    cosine: float
    sine: float


def _deflated(d: F64, z: F64, rho: float) -> tuple[Rows, list[_Rotation]]:
    """The places at which diag(d) + rho z z^T is not diagonal after rotations, which d and z go through here.

    d ascends. An element of z that is as good as 0 leaves its place alone; of two places whose d are as good
    as equal, a rotation takes all of z to the second.
    """
    least = 8 * _EPS * max(float(np.abs(d).max()), float(np.abs(z).max()))
    kept: list[int] = []
    rotations: list[_Rotation] = []
    for place in np.flatnonzero(rho * np.abs(z) > least).tolist():
        if kept:
            before = kept[-1]
            length = float(np.hypot(z[before], z[place]))
            cosine, sine = float(z[place]) / length, -float(z[before]) / length
            if abs((d[place] - d[before]) * cosine * sine) <= least:
                kept.pop()
                rotations.append(_Rotation(before, place, cosine, sine))
                z[before], z[place] = 0, length
                c, s = cosine * cosine, sine * sine
                d[before], d[place] = d[before] * c + d[place] * s, d[before] * s + d[place] * c
        kept.append(place)
    return np.array(kept, np.intp), rotations
