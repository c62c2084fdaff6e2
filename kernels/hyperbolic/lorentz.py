"""Attention by Lorentzian distance (Law et al. 2019; Nickel and Kiela 2018; Chen et al. 2022)."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import EPS32, F64, TINY32, Checkpoint, Floats, by_heads
from ..errors import InvalidShape
from ..mechanism import Mechanism
from ..options import Option
from ..problem import Options
from .centroid import lorentz_centroids
from .space import (
    CURVATURE,
    curvature_of,
    double,
    geodesic,
    norms,
    on_hyperboloid,
    some_of,
    squared_lorentz_distance,
    units,
)


class LorentzScorer:
    """Logits -squared Lorentzian distance / (sqrt(d) temperature), or -distance / temperature, in float64."""

    def __init__(self, query: F64, temperature: float, options: Options) -> None:
        """query (H, d/H)."""
        self._c, self._lift = curvature_of(options), bool(options["lift"])
        self._along = options["distance"] == "geodesic"
        self._query = _space(query, self._c, self._lift, "query")
        self._divisor = temperature * (1 if self._along else math.sqrt(self._query.shape[1]))

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = double(by_heads(keys, len(self._query)))
        squared = squared_lorentz_distance(_space(split, self._c, self._lift), self._query, self._c)
        out[:] = ((geodesic(squared, self._c) if self._along else squared) / -self._divisor).T

    def rounding(self, keys: Floats) -> Floats:
        """Logits are rounded once; a Lorentzian distance is no longer than the Euclidean one."""
        split = double(by_heads(keys, len(self._query)))
        straight = (norms(split) + norms(self._query)).max(axis=1)
        farthest = 2 * np.arcsinh(math.sqrt(self._c) * straight) / math.sqrt(self._c)
        largest = farthest if self._along else straight * straight
        return np.asarray(2 * EPS32 * largest / self._divisor + TINY32)


def _space(points: F64, c: float, lift: bool, subject: str | None = None) -> F64:
    """Space coordinates of points: all of them are, or the first is the time coordinate, which is checked."""
    if lift:
        return points
    if points.shape[-1] < 2:
        raise InvalidShape(
            f"each head has {points.shape[-1]} dimensions, points of a hyperboloid have 2 or more",
            'The first coordinate is the time; {"lift": true} computes it.',
        )
    return on_hyperboloid(points, c, subject)


def lorentz_scorer(query: F64, temperature: float, options: Options, dtype: type) -> LorentzScorer:
    """The scorer of query slices (H, d/H)."""
    return LorentzScorer(query, temperature, options)


def space_centroids(weights: Floats, values: Floats, options: Options, checkpoint: Checkpoint) -> Floats:
    """Lorentz centroids (H, m, w) of values (H, n, w) under weights (H, m, n), as space coordinates.

    Without `lift` values have the time coordinate in front, outputs have none.
    """
    c, lift = curvature_of(options), bool(options["lift"])
    radii = np.empty(values.shape[:2])
    directions = np.empty((*values.shape[:2], values.shape[2] - (0 if lift else 1)))
    for span, some in some_of(values, checkpoint):
        points = _space(some, c, lift, "a value")
        lengths = norms(points)
        radii[:, span] = np.arcsinh(math.sqrt(c) * lengths)
        directions[:, span] = units(points, lengths)
    along, far = lorentz_centroids(weights, directions, radii, checkpoint)
    output: F64 = along * np.sinh(far)[..., None] / math.sqrt(c)
    return output


MECHANISM = Mechanism(
    name="lorentz",
    aliases=("lorentzian", "hyperboloid"),
    family="hyperbolic",
    feature="hyperbolic",
    complexity="O(n d)",
    memory="O(n)",
    best_for="hierarchies, numerically safest",
    formula="a = softmax_j((2/c + 2 <q, k_j>_L) / (sqrt(d) temperature)), <x, y>_L = -x_0 y_0 + sum x_i y_i",
    reference="Law et al. 2019, Lorentzian Distance Learning; Nickel and Kiela 2018; Chen et al. 2022",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        CURVATURE,
        Option("lift", bool, True, None, "Whether vectors are space coordinates; false: time comes first."),
        Option(
            "distance",
            str,
            "squared",
            ("squared", "geodesic"),
            "Squared Lorentzian distance over sqrt(d), or the distance along the hyperboloid.",
        ),
    ),
    scorer=lorentz_scorer,
    aggregate=space_centroids,
)
