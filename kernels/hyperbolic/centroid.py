"""Weighted means in hyperbolic space: Lorentz centroid (Law et al. 2019) and gyromidpoint (Ungar)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..arrays import F64, Checkpoint, Floats, spans
from .space import artanh, inner, norms, some_of, units

_ROUNDING = 1e-30
"""Squared distance of two directions that float64 cannot tell apart."""


def lorentz_centroids(
    weights: Floats, directions: F64, radii: F64, checkpoint: Checkpoint
) -> tuple[F64, F64]:
    """Directions (H, m, w) and hyperbolic radii (H, m) of the centroids of points under weights (H, m, n).

    Points are at the hyperbolic distances radii (H, n) from the origin, in units of 1/sqrt(c), in the
    directions (H, n, w), unit vectors.
    """
    found = np.empty((*weights.shape[:2], directions.shape[2])), np.empty(weights.shape[:2])
    for head, query in np.ndindex(*weights.shape[:2]):
        row = weights[head, query].astype(np.float64)
        found[0][head, query], found[1][head, query] = _lorentz_centroid(
            row, directions[head], radii[head], checkpoint
        )
    return found


def _lorentz_centroid(weights: F64, directions: F64, radii: F64, checkpoint: Checkpoint) -> tuple[F64, F64]:
    """One of them.

    How far the sum lies inside the light cone, its time minus its length, is summed from positive terms: from
    a radius of 18 on their difference would have no digit left.
    """
    reach, total, inside = np.sinh(radii), np.zeros(directions.shape[1]), 0.0
    for span in spans(len(radii), 8 * directions.shape[1]):
        total += (weights[span] * reach[span]) @ directions[span]
        checkpoint()
    length = norms(total)
    direction = units(total, length)
    for span in spans(len(radii), 8 * directions.shape[1]):
        apart = directions[span] - direction
        squared = inner(apart, apart)
        off_axis = reach[span] * np.where(squared > _ROUNDING, squared, 0) / 2
        inside += float(weights[span] @ (np.exp(-radii[span]) + off_axis))
        checkpoint()
    return direction, np.asarray(np.log1p(2 * length / inside) / 2)


def sums(weights: Floats, values: Floats, of: Callable[[F64], F64], checkpoint: Checkpoint) -> F64:
    """The sums (H, m, u) under weights (H, m, n) of what `of` makes (H, b, u) of some of values (H, n, w)."""
    total: F64 = np.zeros(())
    for span, some in some_of(values, checkpoint):
        total = total + np.matmul(weights[:, :, span], of(some))
    return total


def gyromidpoints(
    weights: Floats, values: Floats, c: float, of: Callable[[F64], F64], checkpoint: Checkpoint
) -> F64:
    """Gyromidpoints (H, m, w) under weights (H, m, n) of the ball points `of` values (H, n, w)."""
    root = math.sqrt(c)

    def gyro(some: F64) -> F64:
        points = of(some)
        lengths = root * norms(points)[..., None]
        factors = 2 / ((1 - lengths) * (1 + lengths))
        return np.concatenate([factors * points, factors - 1], axis=2)

    total = sums(weights, values, gyro, checkpoint)
    doubled = total[..., :-1] / total[..., -1:]
    doubled_lengths = norms(doubled)
    half = np.tanh(artanh(root * doubled_lengths) / 2) / root
    result: F64 = units(doubled, doubled_lengths) * half[..., None]
    return result
