"""Graph attention that sees the edges too (Gong and Cheng 2019; Chen and Chen 2021): weights or features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats, spans
from ..edges import Edges, EdgeScorer
from ..errors import InvalidOption
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..untrained import by_init, told
from .attributes import EDGE_COLUMN, edge_column, features_of, weights_of
from .gat import GatScorer, GatWeights, drawn, folded, glorot, leaky
from .gatv2 import METRIC, MetricScorer


class StaticScorer(GatScorer):
    """Version 1: LeakyReLU(a_s^T W h_j + a_t^T W h_i + a_e^T W_e f_ij) / temperature."""

    def __init__(
        self, nodes: GatWeights, projection: Floats, attention: Floats, slope: float, temperature: float
    ) -> None:
        """projection (f, H, F') and attention (H, F') of the edges."""
        super().__init__(nodes, slope, temperature)
        self._edge = folded(projection, attention)

    def sums(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """What LeakyReLU is taken of, (E, H)."""
        result: F64 = super().sums(features, edges, checkpoint) + features_of(edges) @ self._edge
        return result


@dataclass(frozen=True)
class DynamicWeights:
    """Projections (d, H, F') of neighbour and centre, (f, H, F') of the edge; attention (H, F')."""

    neighbour: Floats
    centre: Floats
    edge: Floats
    attention: Floats


class DynamicScorer:
    """Version 2: a^T LeakyReLU(W_l h_j + W_r h_i + W_e f_ij) / temperature."""

    def __init__(self, weights: DynamicWeights, slope: float, temperature: float) -> None:
        self._weights, self._slope, self._temperature = weights, slope, temperature

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        w = self._weights
        logits = np.empty((len(edges), len(w.attention)))
        for span in spans(len(edges), 8 * features.shape[1]):
            part = edges.take(np.arange(span.start, span.stop))
            sums = np.tensordot(features[part.neighbours].astype(np.float64), w.neighbour, 1)
            sums += np.tensordot(features[part.centres].astype(np.float64), w.centre, 1)
            sums += np.tensordot(features_of(part), w.edge, 1)
            np.einsum("ehf,hf->eh", leaky(sums, self._slope), w.attention, out=logits[span])
            checkpoint()
        logits /= self._temperature
        return logits


class WeightedMetricScorer(MetricScorer):
    """Version 2 without a model: (-||h_i - h_j||_1 + ln w_ij) / temperature; w is 1 where edges have none."""

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        logits = super().__call__(features, edges, checkpoint)
        if edges.attributes is not None:
            logits += np.log(weights_of(edges, zero=False))[:, None] / self._temperature
        return logits


@dataclass(frozen=True)
class SeededScorer:
    """Untrained weights, drawn when the first edges show how wide their features are.

    Those of the edges have a stream of their own, so that those of the nodes are gat's.
    """

    dimensions: int
    heads: int
    temperature: float
    options: Mapping[str, Any]

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        return self._of_width(features_of(edges).shape[1])(features, edges, checkpoint)

    def _of_width(self, edge_width: int) -> EdgeScorer:
        seed, slope = int(self.options["seed"]), float(self.options["negative_slope"])
        nodes = glorot(self.dimensions, self.heads, seed)
        random, (_, heads, width) = np.random.RandomState([seed, 1]), nodes.projection.shape
        edge = drawn(random, edge_width, heads * width).reshape(edge_width, heads, width)
        if self.options["version"] == 1:
            return StaticScorer(nodes, edge, drawn(random, heads, width), slope, self.temperature)
        centre = drawn(random, self.dimensions, heads * width).reshape(nodes.projection.shape)
        weights = DynamicWeights(nodes.projection, centre, edge, nodes.source)
        return DynamicScorer(weights, slope, self.temperature)


def edge_scorer(dimensions: int, heads: int, temperature: float, options: Options) -> EdgeScorer:
    """The scorer of edges that the options ask for."""
    if options["init"] is None and options["version"] == 2:
        return WeightedMetricScorer(dimensions, heads, temperature, options)
    if options["init"] is None:
        raise InvalidOption(
            "edge_featured_gat of version 1 needs trained weights, and none are given",
            'Take version 2, which does without: {"version": 2, "edge_column": "weight"}, or ask for '
            'untrained weights: {"init": "seeded"}.',
        )
    if options[EDGE_COLUMN] is None:
        raise InvalidOption(
            "edge_featured_gat with untrained weights needs features of the edges",
            'Name the column of the edge table that has them: {"edge_column": "weight"}.',
        )
    return SeededScorer(dimensions, heads, temperature, options)


def _weights_of(options: Options) -> str:
    """What scores an edge."""
    if options["init"]:
        return by_init(options)
    column = options[EDGE_COLUMN]
    return METRIC + (f" + ln {column}" if column else "")


MECHANISM = Mechanism(
    name="edge_featured_gat",
    aliases=("edge_featured", "EdgeFeaturedAttention"),
    family="graph",
    feature="graph",
    complexity="O(deg H (F' + F_e)) after the projection of the nodes",
    memory="O(E H)",
    best_for="knowledge graphs, typed edges",
    formula="a = mean_h softmax_j(e_ij / temperature), e_ij = LeakyReLU(a_s^T W h_j + a_t^T W h_i + "
    "a_e^T W_e f_ij); version 2 without a model: -||h_i - h_j||_1 + ln w_ij",
    reference="Gong and Cheng 2019; Chen and Chen 2021",
    operations=("gat_search",),
    parameters=(
        Option("version", int, 1, Interval(1, 2), "1 as in gat; 2 as in gatv2, which needs no model."),
        edge_column("Column of the edges: a weight, or vectors of features; without it all edges are alike."),
        Option("init", str, None, ("seeded",), "Weights without a model, which are untrained."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the weights drawn at random."),
        Option("negative_slope", float, 0.2, Interval(0, 1), "Slope of LeakyReLU below 0."),
    ),
    scope="GRAPH",
    edges=edge_scorer,
    remark=told("edge_featured_gat"),
    weights=_weights_of,
)
