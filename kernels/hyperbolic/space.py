"""Numerically safe pieces of hyperbolic geometry, in float64, for the mechanisms and maps of this family.

The sectional curvature is -c; the ball has the radius 1/sqrt(c); the hyperboloid is <x, x>_L = -1/c, x_0 > 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..arrays import F64, Checkpoint, Floats, spans
from ..errors import InvalidOption, OutOfDomain, shown
from ..options import Interval, Option
from ..problem import Options

EDGE = 1 - 1e-6
"""Of the radius: beyond it a point's distance to the edge is what float32 left of it, not data."""

CLIPPED = 1 - 1e-5
"""Of the radius: where projected points lie."""

_REACH = 350.0
"""The largest distance from the origin, in units of 1/sqrt(c), whose hyperbolic sine float64 can square."""

ON_SHEET = 1e-5
"""How far <x, x>_L may be off, as a part of x_0^2: float32 coordinates are that exact and more."""

CURVATURE = Option(
    "curvature",
    float,
    1.0,
    Interval(-1e12, 1e12),
    "Size of the sectional curvature, which is negative whatever the sign; not 0.",
)


def curvature_of(options: Options) -> float:
    """c = |curvature| of checked options; InvalidOption for 0 and what float64 takes for it."""
    return positive_curvature(options["curvature"])


def positive_curvature(curvature: float) -> float:
    """c = |curvature|; both signs mean the same space. InvalidOption for 0, NaN, and numbers out of range."""
    if not 1e-12 <= abs(curvature) <= 1e12:
        raise InvalidOption(
            f"curvature is {shown(curvature)}, its size must lie in [1e-12, 1e12]",
            "The space has the sectional curvature -|curvature|; without curvature it is Euclidean.",
        )
    return abs(float(curvature))


def double(vectors: Floats) -> F64:
    """The vectors in float64."""
    return vectors.astype(np.float64, copy=False)


def inner(x: F64, y: F64) -> F64:
    """Inner products (...) of vectors (..., w), each summed alone in a fixed order: equal rows stay equal."""
    result: F64 = np.einsum("...w,...w->...", x, y)
    return result


def norms(vectors: F64) -> F64:
    """Norms (...) of vectors (..., w)."""
    result: F64 = np.sqrt(inner(vectors, vectors))
    return result


def units(vectors: F64, lengths: F64) -> F64:
    """vectors (..., w) over their lengths (...); the zero vector stays what it is."""
    result: F64 = vectors / np.where(lengths > 0, lengths, 1)[..., None]
    return result


def artanh(x: F64) -> F64:
    """artanh with its argument clipped to what float64 can still tell from 1."""
    result: F64 = np.arctanh(np.minimum(x, 1 - 2**-53))
    return result


def arcosh1p(t: F64) -> F64:
    """arcosh(1 + t) for t >= 0, exact near 0; t may be as large as float64 goes. Below 0 it is 0."""
    t = np.maximum(t, 0)
    result: F64 = np.log1p(t + np.sqrt(t) * np.sqrt(t + 2))
    return result


def tangent_distance(x: F64, y: F64, c: float) -> F64:
    """Distance of the points that tangents (..., w) at the origin lead to; near ones keep their digits."""
    lengths, other = norms(x), norms(y)
    radii, radius = hyperbolic_radii(lengths, c), hyperbolic_radii(other, c, "query")
    apart = units(x, lengths) - units(y, other)
    radial = np.sinh((radii - radius) / 2)
    t = 2 * radial * radial + np.sinh(radii) * np.sinh(radius) * inner(apart, apart) / 2
    result: F64 = arcosh1p(t) / math.sqrt(c)
    return result


def some_of(values: Floats, checkpoint: Checkpoint) -> Iterator[tuple[slice, F64]]:
    """Values (H, n, w) some at a time: which ones, and these (H, b, w)."""
    heads, n, width = values.shape
    for span in spans(n, 8 * heads * width):
        yield span, values[:, span].astype(np.float64)
        checkpoint()


def hyperbolic_radii(lengths: F64, c: float, subject: str | None = None) -> F64:
    """Distances of tangents of these lengths from the origin, in units of 1/sqrt(c)."""
    radii: F64 = math.sqrt(c) * lengths
    if not radii.max(initial=0) <= _REACH:
        place = np.unravel_index(int(np.argmax(radii)), radii.shape)
        limit = _REACH / math.sqrt(c)
        raise OutOfDomain(
            f"is too long for hyperbolic space: its norm is {radii[place] / math.sqrt(c):g}, "
            f"at most {limit:g} is allowed",
            f"Scale the vectors down, or take a curvature below {c:g}.",
            subject,
            None if subject else int(place[0]),
        )
    return radii


def ball_distance(x: F64, y: F64, c: float) -> F64:
    """Poincare distance of ball points (..., w): arcosh(1 + 2z) / sqrt(c) as 2 arsinh(sqrt(z)) / sqrt(c)."""
    root = math.sqrt(c)
    apart = root * norms(x - y)
    result: F64 = 2 / root * np.arcsinh(apart / np.sqrt(_to_edge(x, root) * _to_edge(y, root)))
    return result


def _to_edge(x: F64, root: float) -> F64:
    """1 - c ||x||^2, as a product that does not cancel near the edge."""
    lengths = root * norms(x)
    result: F64 = (1 - lengths) * (1 + lengths)
    return result


def in_ball(points: F64, c: float, subject: str | None = None) -> F64:
    """The points (..., w), each well inside the ball; OutOfDomain names the first that is not.

    subject is what a message calls a single point; without it the index on the first axis is the row.
    """
    lengths = norms(points)
    outside = math.sqrt(c) * lengths >= EDGE
    if outside.any():
        place = np.unravel_index(int(np.argmax(outside)), outside.shape)
        radius, length = 1 / math.sqrt(c), float(lengths[place])
        where = "at the edge" if abs(length / radius - 1) < 1e-5 else "outside"
        raise OutOfDomain(
            f"lies {where} of the ball of radius {radius:g}, its norm is {length:g}",
            "Points of the ball are shorter than 1/sqrt(curvature): scale them down, or take less curvature. "
            'The mechanism poincare draws them in with {"project": true}, hyperbolic takes any vector.',
            subject,
            None if subject else int(place[0]),
        )
    return points


def projected(points: F64, c: float) -> F64:
    """The points (..., w), those nearer to the edge than CLIPPED, or outside, drawn back to it."""
    lengths = math.sqrt(c) * norms(points)
    factors = np.where(lengths > CLIPPED, CLIPPED / np.where(lengths > 0, lengths, 1), 1)
    result: F64 = points * factors[..., None]
    return result


def lifted_time(space: F64, c: float) -> F64:
    """The time coordinate of hyperboloid points with these space coordinates (..., w)."""
    result: F64 = np.sqrt(1 / c + inner(space, space))
    return result


def on_hyperboloid(points: F64, c: float, subject: str | None = None) -> F64:
    """The space coordinates (..., w) of points (..., w + 1), each checked to lie on the hyperboloid."""
    time, space = points[..., 0], points[..., 1:]
    wanted = lifted_time(space, c)
    off = ~(np.abs(time - wanted) <= ON_SHEET * wanted)
    if off.any():
        place = np.unravel_index(int(np.argmax(off)), off.shape)
        raise OutOfDomain(
            f"does not lie on the hyperboloid of curvature {-c:g}: its first coordinate is {time[place]:g}, "
            f"the others make it {wanted[place]:g}",
            "The first coordinate is sqrt(1/c + the sum of the squares of the others), c = |curvature|.",
            subject,
            None if subject else int(place[0]),
        )
    return space


def squared_lorentz_distance(x: F64, y: F64, c: float) -> F64:
    """-2/c - 2 <x, y>_L of points by their space coordinates (..., w).

    As it stands it loses the digits of near points; ||x - y||^2 - (x_0 - y_0)^2, which is the same, those of
    far ones. Each pair gets the form that rounds less.
    """
    apart, times = x - y, (lifted_time(x, c), lifted_time(y, c))
    straight = inner(apart, apart)
    time_apart = inner(apart, x + y) / (times[0] + times[1])
    product = times[0] * times[1]
    far = 2 * (product - inner(x, np.broadcast_to(y, x.shape))) - 2 / c
    result: F64 = np.maximum(np.where(straight < product, straight - time_apart * time_apart, far), 0)
    return result


def geodesic(squared: F64, c: float) -> F64:
    """The distance along the hyperboloid of points with this squared Lorentzian distance."""
    result: F64 = arcosh1p(squared * (c / 2)) / math.sqrt(c)
    return result
