"""Graph attention that sees the edges too (Gong and Cheng 2019; Chen and Chen 2021): weights or features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats
from ..edges import Edges, EdgeScorer
from ..errors import InvalidOption, InvalidShape
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..trained import Tensors, Training, require, without
from ..untrained import by_init, told
from .attributes import EDGE_COLUMN, edge_column, features_of, weights_of
from .dynamic import DynamicScorer, DynamicWeights
from .gat import GatScorer, GatWeights, drawn, folded, glorot
from .gatv2 import METRIC, MetricScorer, dynamic_weights
from .learned import NEGATIVE_SLOPE, check_heads, check_inputs

_NAME_ONE = 'Name the column of the edge table that has them: {"edge_column": "weight"}.'


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
            'Name a model, take version 2, which does without: {"version": 2, "edge_column": "weight"}, or '
            'ask for untrained weights: {"init": "seeded"}.',
        )
    if options[EDGE_COLUMN] is None:
        raise InvalidOption(
            "edge_featured_gat with untrained weights needs features of the edges",
            _NAME_ONE,
        )
    return SeededScorer(dimensions, heads, temperature, options)


def _weights_of(options: Options) -> str:
    """What scores an edge."""
    if options["init"]:
        return by_init(options)
    column = options[EDGE_COLUMN]
    return METRIC + (f" + ln {column}" if column else "")


STATIC, DYNAMIC = ("W", "a_src", "a_dst", "a_e"), ("W_l", "a", "W_r", "b_l", "b_r")


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """The mechanism with the weights of a set, which also tell the version."""
    if "W_l" in tensors:
        require(mechanism, tensors, ("W_l", "a", "W_e"))
        weights = dynamic_weights(tensors)
        first, heads = "W_l", len(weights.attention)
    else:
        require(mechanism, tensors, ("W", "a_src", "a_dst", "W_e", "a_e"))
        check_heads(tensors, ["W", "W_e"], ["a_src", "a_dst", "a_e"])
        first, heads = "W", len(tensors["a_e"])

    def scorer(dimensions: int, heads: int, temperature: float, options: Options) -> EdgeScorer:
        check_inputs(dimensions, first, tensors)
        if options[EDGE_COLUMN] is None:
            raise InvalidOption("edge_featured_gat with a model needs features of the edges", _NAME_ONE)
        slope = float(options["negative_slope"])
        if first == "W_l":
            return _OfWidth(DynamicScorer(weights, slope, temperature), len(tensors["W_e"]))
        nodes = GatWeights(tensors["W"], tensors["a_src"], tensors["a_dst"])
        static = StaticScorer(nodes, tensors["W_e"], tensors["a_e"], slope, temperature)
        return _OfWidth(static, len(tensors["W_e"]))

    parameters = without(mechanism, "init", "seed", "version")
    return replace(mechanism, parameters=parameters, edges=scorer, heads=heads)


@dataclass(frozen=True)
class _OfWidth:
    """A scorer of edges that have so many features."""

    scorer: EdgeScorer
    width: int

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        given = features_of(edges).shape[1]
        if given != self.width:
            raise InvalidShape(
                f"edge_column has {given} numbers, W_e of the model takes {self.width}", _NAME_ONE
            )
        return self.scorer(features, edges, checkpoint)


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
        NEGATIVE_SLOPE,
    ),
    scope="GRAPH",
    edges=edge_scorer,
    remark=told("edge_featured_gat"),
    weights=_weights_of,
    training=Training(("W_e",), (*STATIC, *DYNAMIC, "b_o"), _bind),
)
