"""Weighted means in hyperbolic space: Lorentz centroid (Law et al. 2019) and gyromidpoint (Ungar)."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import F64, Floats, spans
from .space import artanh, inner, norms, units

_ROUNDING = 1e-30
"""Squared distance of two directions that float64 cannot tell apart."""


def lorentz_centroid(weights: F64, directions: F64, radii: F64) -> tuple[F64, F64]:
    """Direction (w,) and hyperbolic radius of the centroid of points under weights (n,).

    Points are at the hyperbolic distances radii (n,) from the origin, in units of 1/sqrt(c), in the
    directions (n, w), unit vectors. How far the sum lies inside the light cone, its time minus its length, is
    summed from positive terms: from a radius of 18 on their difference would have no digit left.
    """
    reach = np.sinh(radii)
    total = (weights * reach) @ directions
    length = norms(total)
    direction = units(total, length)
    inside = 0.0
    for span in spans(len(radii), 8 * directions.shape[1]):
        apart = directions[span] - direction
        squared = inner(apart, apart)
        off_axis = reach[span] * np.where(squared > _ROUNDING, squared, 0) / 2
        inside += float(weights[span] @ (np.exp(-radii[span]) + off_axis))
    return direction, np.asarray(np.log1p(2 * length / inside) / 2)


def gyromidpoints(weights: Floats, values: F64, c: float) -> F64:
    """Gyromidpoints (..., m, w) of ball points (..., n, w) under weights (..., m, n)."""
    root = math.sqrt(c)
    lengths = root * norms(values)
    factors = 2 / ((1 - lengths) * (1 + lengths))
    numerator = np.matmul(weights, factors[..., None] * values)
    doubled = numerator / np.matmul(weights, (factors - 1)[..., None])
    doubled_lengths = norms(doubled)
    half = np.tanh(artanh(root * doubled_lengths) / 2) / root
    result: F64 = units(doubled, doubled_lengths) * half[..., None]
    return result
