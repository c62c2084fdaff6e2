"""Hyperbolic attention over plain vectors (Gulcehre et al. 2019, Hyperbolic Attention Networks).

A vector is a point of the tangent space at the origin: its direction and distance from there are kept.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import EPS32, F64, TINY32, Floats, by_heads
from ..errors import OutOfDomain
from ..mechanism import Mechanism, Options
from ..options import Interval, Option
from .centroid import lorentz_centroid
from .space import CURVATURE, arcosh1p, curvature_of, double, inner, norms, units

_REACH = 350.0
"""The largest distance from the origin, in units of 1/sqrt(c), whose hyperbolic sine float64 can square."""


class HyperbolicScorer:
    """Logits -(beta * distance + bias) / temperature, float64 whatever the dtype of the keys."""

    def __init__(self, query: F64, temperature: float, options: Options) -> None:
        """query (H, d/H)."""
        self._c = curvature_of(options)
        self._beta, self._bias = float(options["beta"]) / temperature, float(options["bias"]) / temperature
        lengths = norms(query)
        self._radius, self._unit = _radii(lengths, self._c, "query"), units(query, lengths)

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = double(by_heads(keys, len(self._unit)))
        lengths = norms(split)
        radii = _radii(lengths, self._c)
        apart = units(split, lengths) - self._unit
        half_sine = inner(apart, apart) / 4
        radial = np.sinh((radii - self._radius) / 2)
        t = 2 * radial * radial + 2 * np.sinh(radii) * np.sinh(self._radius) * half_sine
        out[:] = (-self._beta / math.sqrt(self._c) * arcosh1p(t) - self._bias).T

    def rounding(self, keys: Floats) -> Floats:
        """Logits are rounded once, and no longer than the way through the origin."""
        split = double(by_heads(keys, len(self._unit)))
        longest = (norms(split) + self._radius / math.sqrt(self._c)).max(axis=1)
        return np.asarray(2 * EPS32 * (self._beta * longest + abs(self._bias)) + TINY32)


def _radii(lengths: F64, c: float, subject: str | None = None) -> F64:
    """Distances of vectors of these lengths from the origin, in units of 1/sqrt(c)."""
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


def hyperbolic_scorer(query: F64, temperature: float, options: Options, dtype: type) -> HyperbolicScorer:
    """The scorer of query slices (H, d/H)."""
    return HyperbolicScorer(query, temperature, options)


def tangent_centroids(weights: Floats, values: Floats, options: Options) -> Floats:
    """Lorentz centroids (H, m, w) of lifted values (H, n, w) under weights (H, m, n), as tangent vectors."""
    c = curvature_of(options)
    points = values.astype(np.float64)
    lengths = norms(points)
    radii, directions = _radii(lengths, c, "a value"), units(points, lengths)
    output = np.empty((*weights.shape[:2], values.shape[2]))
    for head, query in np.ndindex(*weights.shape[:2]):
        row = weights[head, query].astype(np.float64)
        direction, radius = lorentz_centroid(row, directions[head], radii[head])
        output[head, query] = direction * radius / math.sqrt(c)
    return output


MECHANISM = Mechanism(
    name="hyperbolic",
    aliases=("hyperbolic_attention", "HyperbolicAttention"),
    family="hyperbolic",
    feature="hyperbolic",
    complexity="O(n d)",
    memory="O(n)",
    best_for="hierarchies from plain Euclidean embeddings",
    formula="a = softmax_j(-(beta d(exp_0 q, exp_0 k_j) + bias) / temperature), d along the hyperboloid",
    reference="Gulcehre et al. 2019, Hyperbolic Attention Networks",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        CURVATURE,
        Option("beta", float, 1.0, Interval(0, low_open=True), "Factor of the distance."),
        Option("bias", float, 0.0, Interval(-1e12, 1e12), "Added to the distance; cancels in the scores."),
    ),
    scorer=hyperbolic_scorer,
    aggregate=tangent_centroids,
)
