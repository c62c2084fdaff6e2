"""GATv2 (Brody, Alon and Yahav 2022) with metric weights: an edge is scored by how near its ends are."""

from __future__ import annotations

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows, spans
from ..errors import InvalidShape
from ..mechanism import Mechanism, Options


class MetricScorer:
    """Logits -||h_i - h_j||_1 / temperature, in each head over its own slice of the features.

    This is a^T LeakyReLU(W_l h_j + W_r h_i) with W_l = [I; -I], W_r = [-I; I], a = -1 / (1 - slope): of each
    difference and its negative one is positive, and slope drops out.
    """

    def __init__(self, dimensions: int, heads: int, temperature: float, options: Options) -> None:
        self._starts = slice_starts(dimensions, heads)
        self._temperature = temperature

    def __call__(self, features: F32, centres: Rows, neighbours: Rows, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows (E,) of features (n, d)."""
        logits = np.empty((len(centres), len(self._starts)))
        for span in spans(len(centres), 8 * features.shape[1]):
            apart = features[neighbours[span]].astype(np.float64)
            apart -= features[centres[span]]
            np.add.reduceat(np.abs(apart, out=apart), self._starts, axis=1, out=logits[span])
            checkpoint()
        logits /= -self._temperature
        return logits


def slice_starts(dimensions: int, heads: int) -> Rows:
    """Where each of `heads` nearly equal slices starts; the first are one longer where need be."""
    if heads > dimensions:
        raise InvalidShape(
            f"num_heads is {heads}, the features have {dimensions} dimensions",
            "Each head compares a slice of the features of its own.",
        )
    length, longer = divmod(dimensions, heads)
    return np.arange(heads) * length + np.minimum(np.arange(heads), longer)


MECHANISM = Mechanism(
    name="gatv2",
    aliases=("dynamic_gat",),
    family="graph",
    feature="graph",
    complexity="O(deg d)",
    memory="O(E (d + H))",
    best_for="query-dependent neighbour ranking",
    formula="a = mean_h softmax_j(a^T LeakyReLU(W_l h_j + W_r h_i) / temperature), here -||h_i - h_j||_1",
    reference="Brody, Alon and Yahav 2022, How Attentive are Graph Attention Networks?",
    operations=("gat_search",),
    scope="GRAPH",
    edges=MetricScorer,
)
