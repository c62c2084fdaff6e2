"""Maps between tangent spaces, Poincare ball and hyperboloid (Ganea et al. 2018), in float64.

Vectors are (w,), hyperboloid points (w + 1,) with time first; c > 0. OutOfDomain for a point elsewhere.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import F64
from .space import (
    artanh,
    ball_distance,
    geodesic,
    in_ball,
    lifted_time,
    norms,
    on_hyperboloid,
    projected,
    squared_lorentz_distance,
    units,
)


def poincare_distance(a: F64, b: F64, c: float) -> float:
    """Distance of two ball points."""
    return float(ball_distance(in_ball(a, c, "a"), in_ball(b, c, "b"), c))


def lorentz_distance(a: F64, b: F64, c: float) -> float:
    """Distance of two hyperboloid points along the hyperboloid."""
    squared = squared_lorentz_distance(on_hyperboloid(a, c, "a"), on_hyperboloid(b, c, "b"), c)
    return float(geodesic(squared, c))


def minkowski_dot(a: F64, b: F64) -> float:
    """<a, b>_L = -a_0 b_0 + sum_i a_i b_i of any two vectors."""
    return float(a[1:] @ b[1:] - a[0] * b[0])


def mobius_add(a: F64, b: F64, c: float) -> F64:
    """Mobius sum of two ball points; it stays in the ball."""
    return projected(_sum(in_ball(a, c, "a"), in_ball(b, c, "b"), c), c)


def exp_map(base: F64, tangent: F64, c: float) -> F64:
    """The ball point that the geodesic from `base` along `tangent` reaches at time 1; never at the edge."""
    root, length = math.sqrt(c), norms(tangent)
    reach = np.tanh(root * _conformal(in_ball(base, c, "base"), c) * length / 2) / root
    return projected(_sum(base, units(tangent, length) * reach, c), c)


def log_map(base: F64, point: F64, c: float) -> F64:
    """The tangent at `base` whose exp_map is `point`; both in the ball."""
    root = math.sqrt(c)
    step = _sum(-in_ball(base, c, "base"), in_ball(point, c, "point"), c)
    length = norms(step)
    result: F64 = units(step, length) * (2 / (root * _conformal(base, c)) * artanh(root * length))
    return result


def poincare_to_lorentz(point: F64, c: float) -> F64:
    """The hyperboloid point of a ball point."""
    space = _conformal(in_ball(point, c, "point"), c) * point
    return np.concatenate([lifted_time(space, c)[None], space])


def lorentz_to_poincare(point: F64, c: float) -> F64:
    """The ball point of a hyperboloid point; never at the edge."""
    space = on_hyperboloid(point, c, "point")
    return projected(space / (1 + math.sqrt(c) * lifted_time(space, c)), c)


def _conformal(point: F64, c: float) -> float:
    """2 / (1 - c ||x||^2)."""
    length = math.sqrt(c) * float(norms(point))
    return 2 / ((1 - length) * (1 + length))


def _sum(a: F64, b: F64, c: float) -> F64:
    """Mobius sum; b may lie on the edge."""
    ab, aa, bb = float(a @ b), float(a @ a), float(b @ b)
    result: F64 = ((1 + 2 * c * ab + c * bb) * a + (1 - c * aa) * b) / (1 + 2 * c * ab + c * c * aa * bb)
    return result
