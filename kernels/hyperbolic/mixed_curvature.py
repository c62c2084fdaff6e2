"""Attention in a product of flat, hyperbolic and spherical space (Gu et al. 2019; Skopek et al. 2020)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..arrays import EPS32, F64, TINY32, Checkpoint, Floats, by_heads
from ..errors import InvalidShape
from ..mechanism import Mechanism
from ..options import Interval, NumbersOption, Option
from ..problem import Options
from .centroid import gyromidpoints, sums
from .hyperbolic import tangent_centroids
from .space import (
    CURVATURE,
    EDGE,
    ball_distance,
    curvature_of,
    double,
    in_ball,
    inner,
    norms,
    tangent_distance,
    units,
)


class Parts(NamedTuple):
    """Where the flat, the hyperbolic and the spherical part of a vector are."""

    flat: slice
    hyperbolic: slice
    spherical: slice


def parts_of(width: int, options: Options) -> Parts:
    """The parts of vectors (..., width); InvalidShape where `dims` make another width."""
    dims = options["dims"]
    first, second, third = (width // 2, width // 4, width - width // 2 - width // 4) if dims is None else dims
    if first + second + third != width:
        raise InvalidShape(
            f"dims are {first}, {second} and {third}, {first + second + third} in all, the width is {width}",
            "Say how many dimensions are flat, hyperbolic and spherical; with heads, of each head.",
        )
    return Parts(slice(0, first), slice(first, first + second), slice(first + second, width))


class ProductScorer:
    """Logits -D^2 / (2 sqrt(w) temperature), float64 whatever the dtype of the keys."""

    def __init__(self, query: F64, temperature: float, options: Options, dtype: type) -> None:
        """query (H, w)."""
        self._query, self._options, self._parts = query, options, parts_of(query.shape[1], options)
        self._factor = -1 / (2 * math.sqrt(query.shape[1]) * temperature)
        self._length = float(norms(query).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = double(by_heads(keys, len(self._query)))
        out[:] = (self._factor * squared_distances(split, self._query, self._parts, self._options)).T

    def rounding(self, keys: Floats) -> Floats:
        """Logits are rounded once; none of their parts is further than through the origin, or half round."""
        flat, hyperbolic, spherical = self._options["weights"]
        reach = (norms(double(keys)) + self._length) ** 2
        if not self._options["lift"]:
            reach = reach * flat + hyperbolic * (4 * math.atanh(EDGE)) ** 2 / curvature_of(self._options)
        else:
            reach = reach * (flat + hyperbolic)
        reach += spherical * math.pi**2 / float(self._options["kappa"])
        return np.asarray(2 * EPS32 * -self._factor * reach + TINY32, np.float32)


def squared_distances(x: F64, y: F64, parts: Parts, options: Options) -> F64:
    """The weighted sum (n, H) of the squared distances of x (n, H, w) and y (H, w) in each part."""
    flat, hyperbolic, spherical = options["weights"]
    apart = x[..., parts.flat] - y[..., parts.flat]
    total = flat * inner(apart, apart)
    total += (
        hyperbolic * _hyperbolic_distance(x[..., parts.hyperbolic], y[..., parts.hyperbolic], options) ** 2
    )
    angles = _angles(x[..., parts.spherical], y[..., parts.spherical])
    result: F64 = total + spherical / float(options["kappa"]) * angles**2
    return result


def _hyperbolic_distance(x: F64, y: F64, options: Options) -> F64:
    c = curvature_of(options)
    if options["lift"]:
        return tangent_distance(x, y, c)
    return ball_distance(in_ball(x, c), in_ball(y, c, "query"), c)


def _angles(x: F64, y: F64) -> F64:
    """Angles (n, H) of vectors; a zero vector has a right angle with every other, and none with itself."""
    lengths, other = norms(x), norms(y)
    apart = units(x, lengths) - units(y, other)
    angles = 2 * np.arcsin(np.minimum(norms(apart) / 2, 1))
    result: F64 = np.where((lengths > 0) != (other > 0), np.pi / 2, angles)
    return result


def product_means(weights: Floats, values: Floats, options: Options, checkpoint: Checkpoint) -> Floats:
    """Outputs (H, m, w) of values (H, n, w) under weights (H, m, n): the mean of each part in its space."""
    parts, c = parts_of(values.shape[2], options), curvature_of(options)
    flat = sums(weights, values[..., parts.flat], lambda some: some, checkpoint)
    round_values = values[..., parts.spherical]
    spherical = sums(weights, round_values, lambda some: units(some, norms(some)), checkpoint)
    spherical = units(spherical, norms(spherical))
    points = values[..., parts.hyperbolic]
    if options["lift"]:
        hyperbolic = tangent_centroids(weights, points, options, checkpoint)
    else:
        hyperbolic = gyromidpoints(weights, points, c, lambda some: in_ball(some, c, "a value"), checkpoint)
    return np.concatenate([flat, hyperbolic, spherical], axis=2)


MECHANISM = Mechanism(
    name="mixed_curvature",
    aliases=("product_manifold", "fused_curvature"),
    family="hyperbolic",
    feature="hyperbolic",
    complexity="O(n d)",
    memory="O(n)",
    best_for="mixed flat + tree + cyclic data",
    formula="a = softmax_j(-D^2 / (2 sqrt(d) temperature)), "
    "D^2 = w_E |x-y|^2 + w_H d_c(x, y)^2 + w_S angle^2 / kappa",
    reference="Gu et al. 2019, Learning Mixed-Curvature Representations; Skopek et al. 2020",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        NumbersOption(
            "dims",
            None,
            Interval(0, 2**31 - 1),
            "Dimensions that are flat, hyperbolic and spherical; d/2, d/4 and the rest if left out.",
            length=3,
            whole=True,
        ),
        NumbersOption(
            "weights", (1.0, 1.0, 1.0), Interval(0), "Weights of the three squared distances.", length=3
        ),
        CURVATURE,
        Option("kappa", float, 1.0, Interval(0, low_open=True), "Curvature of the sphere."),
        Option(
            "lift",
            bool,
            True,
            None,
            "Whether hyperbolic parts are any vectors, or ball points.",
        ),
    ),
    scorer=ProductScorer,
    aggregate=product_means,
)
