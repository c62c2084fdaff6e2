"""GATv2 (Brody, Alon and Yahav 2022); without a model with metric weights: an edge is scored by how near its
ends are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats, Rows, by_heads, spans
from ..edges import Edges
from ..errors import InvalidShape
from ..mechanism import PAIR_OPERATIONS, Mechanism
from ..problem import Options
from ..projections import Projections
from ..trained import Tensors, Training
from .dynamic import DynamicKeyScorer, DynamicScorer, DynamicWeights
from .learned import NEGATIVE_SLOPE, check_heads, check_inputs, joined, output_of

METRIC = "metric, -||h_i - h_j||_1"
"""What stands in for learned weights."""


class MetricScorer:
    """Logits -||h_i - h_j||_1 / temperature, in each head over its own slice of the features.

    This is a^T LeakyReLU(W_l h_j + W_r h_i) with W_l = [I; -I], W_r = [-I; I], a = -1 / (1 - slope): of each
    difference and its negative one is positive, and slope drops out.
    """

    def __init__(self, dimensions: int, heads: int, temperature: float, options: Options) -> None:
        self._starts = slice_starts(dimensions, heads)
        self._temperature = temperature

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        logits = np.empty((len(edges), len(self._starts)))
        for span in spans(len(edges), 8 * features.shape[1]):
            apart = features[edges.neighbours[span]].astype(np.float64)
            apart -= features[edges.centres[span]]
            np.add.reduceat(np.abs(apart, out=apart), self._starts, axis=1, out=logits[span])
            checkpoint()
        logits /= -self._temperature
        return logits


class DistanceScorer:
    """Logits -||q - k||_1 / temperature of each head's slices: all keys are neighbours of the query."""

    def __init__(self, query: F64, temperature: float, options: Options, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._query: Floats = query.astype(dtype)
        self._factors: Floats = np.full(query.shape[1], -1 / temperature, dtype)
        self._length = float(np.abs(query).sum(axis=1).max())
        self._temperature = temperature

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        apart = by_heads(keys, len(self._query)) - self._query
        np.abs(apart, out=apart)
        if keys.dtype == np.float32:
            out[:] = np.matmul(apart.reshape(-1, apart.shape[2]), self._factors).reshape(apart.shape[:2]).T
        else:
            np.add.reduce(apart, axis=2, out=out.T)
            out /= -self._temperature

    def rounding(self, keys: Floats) -> Floats:
        """|error| <= (w + 8) u (||q||_1 + ||k||_1) / temperature for slices of w numbers.

        Higham, ASNA section 3.1, with the rounding of the query and of each difference. The norm of a whole
        key bounds that of its slices; squares too small for float32 are made up for.
        """
        squares = np.matmul(keys[:, None, :], keys[:, :, None])[:, 0, 0]
        width = len(self._factors)
        lengths = self._length + np.sqrt(width * (squares.astype(np.float64) + keys.shape[1] * TINY32))
        bound: Floats = ((width + 8) * EPS32 / self._temperature * lengths + TINY32).astype(np.float32)
        return bound


def slice_starts(dimensions: int, heads: int) -> Rows:
    """Where each of `heads` nearly equal slices starts; the first are one longer where need be."""
    if heads > dimensions:
        raise InvalidShape(
            f"num_heads is {heads}, the features have {dimensions} dimensions",
            "Each head compares a slice of the features of its own.",
        )
    length, longer = divmod(dimensions, heads)
    return np.arange(heads) * length + np.minimum(np.arange(heads), longer)


def dynamic_weights(tensors: Tensors) -> DynamicWeights:
    """The weights of a set with W_l (d, H, F') and a (H, F'); without W_r both ends share W_l."""
    check_heads(tensors, ["W_l", "W_r", "W_e"], ["a"])
    heads = tensors["a"].shape
    bias: Floats | float = 0.0
    for name in ("b_l", "b_r"):
        bias = bias + tensors[name].reshape(heads) if name in tensors else bias
    centre = tensors.get("W_r", tensors["W_l"])
    return DynamicWeights(tensors["W_l"], centre, tensors.get("W_e"), tensors["a"], bias)


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """gatv2 with the weights of a set; keys are neighbours, and their projections the values."""
    weights = dynamic_weights(tensors)

    def scorer(query: F64, temperature: float, options: Options, dtype: type) -> DynamicKeyScorer:
        return DynamicKeyScorer(query, weights.attention, options["negative_slope"], temperature, dtype)

    def edges(dimensions: int, heads: int, temperature: float, options: Options) -> DynamicScorer:
        check_inputs(dimensions, "W_l", tensors)
        return DynamicScorer(weights, options["negative_slope"], temperature)

    key = joined(tensors, "W_l", "b_l")
    query = joined(tensors, "W_r", "b_r") if "W_r" in tensors else key
    return replace(
        mechanism,
        parameters=(NEGATIVE_SLOPE,),
        scorer=scorer,
        edges=edges,
        projections=Projections(query, key, key, output_of(tensors)),
        heads=len(weights.attention),
    )


MECHANISM = Mechanism(
    name="gatv2",
    aliases=("dynamic_gat",),
    family="graph",
    feature="graph",
    complexity="O(n d), over a graph O(deg d)",
    memory="O(n H), over a graph O(E (d + H))",
    best_for="query-dependent neighbour ranking",
    formula="a = mean_h softmax_j(a^T LeakyReLU(W_l h_j + W_r h_i) / temperature), here -||h_i - h_j||_1",
    reference="Brody, Alon and Yahav 2022, How Attentive are Graph Attention Networks?",
    operations=(*PAIR_OPERATIONS, "gat_search"),
    scorer=DistanceScorer,
    edges=MetricScorer,
    weights=lambda options: METRIC,
    training=Training(("W_l", "a"), ("W_r", "b_l", "b_r", "b_o"), _bind),
)
