"""Hyperbolic attention over plain vectors (Gulcehre et al. 2019, Hyperbolic Attention Networks).

A vector is a point of the tangent space at the origin: its direction and distance from there are kept.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import EPS32, F64, TINY32, Checkpoint, Floats, by_heads
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from .centroid import lorentz_centroids
from .space import CURVATURE, curvature_of, double, hyperbolic_radii, norms, some_of, tangent_distance, units


class HyperbolicScorer:
    """Logits -(beta * distance + bias) / temperature, float64 whatever the dtype of the keys."""

    def __init__(self, query: F64, temperature: float, options: Options) -> None:
        """query (H, d/H)."""
        self._c = curvature_of(options)
        self._beta, self._bias = float(options["beta"]) / temperature, float(options["bias"]) / temperature
        self._query, self._lengths = query, norms(query)
        hyperbolic_radii(self._lengths, self._c, "query")

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = double(by_heads(keys, len(self._query)))
        out[:] = (-self._beta * tangent_distance(split, self._query, self._c) - self._bias).T

    def rounding(self, keys: Floats) -> Floats:
        """Logits are rounded once, and no longer than the way through the origin."""
        split = double(by_heads(keys, len(self._query)))
        longest = (norms(split) + self._lengths).max(axis=1)
        return np.asarray(2 * EPS32 * (self._beta * longest + abs(self._bias)) + TINY32)


def hyperbolic_scorer(query: F64, temperature: float, options: Options, dtype: type) -> HyperbolicScorer:
    """The scorer of query slices (H, d/H)."""
    return HyperbolicScorer(query, temperature, options)


def tangent_centroids(weights: Floats, values: Floats, options: Options, checkpoint: Checkpoint) -> Floats:
    """Lorentz centroids (H, m, w) of lifted values (H, n, w) under weights (H, m, n), as tangent vectors."""
    c = curvature_of(options)
    radii, directions = np.empty(values.shape[:2]), np.empty(values.shape)
    for span, points in some_of(values, checkpoint):
        lengths = norms(points)
        radii[:, span], directions[:, span] = hyperbolic_radii(lengths, c, "a value"), units(points, lengths)
    along, far = lorentz_centroids(weights, directions, radii, checkpoint)
    output: F64 = along * far[..., None] / math.sqrt(c)
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
