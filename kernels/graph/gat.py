"""Graph attention networks (Velickovic et al. 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats, Rows, spans
from ..errors import InvalidOption
from ..mechanism import Mechanism, Options
from ..options import Interval, Option


@dataclass(frozen=True)
class GatWeights:
    """projection (d, H, F'), source (H, F') for the neighbour, target (H, F') for the centre."""

    projection: Floats
    source: Floats
    target: Floats


class GatScorer:
    """Logits LeakyReLU(a_source^T W h_j + a_target^T W h_i) / temperature of neighbour j and centre i."""

    def __init__(self, weights: GatWeights, slope: float, temperature: float) -> None:
        self._source = _folded(weights.projection, weights.source)
        self._target = _folded(weights.projection, weights.target)
        self._slope, self._temperature = slope, temperature

    def __call__(self, features: F32, centres: Rows, neighbours: Rows, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows (E,) of features (n, d)."""
        source = _projected(features, self._source, checkpoint)
        target = _projected(features, self._target, checkpoint)
        sums = source[neighbours] + target[centres]
        result: F64 = np.where(sums > 0, sums, self._slope * sums) / self._temperature
        return result


def _folded(projection: Floats, attention: Floats) -> F64:
    """The vectors (d, H) whose product with features is the attention vector's with their projection."""
    result: F64 = np.einsum("dhf,hf->dh", projection.astype(np.float64), attention.astype(np.float64))
    return result


def _projected(features: F32, vectors: F64, checkpoint: Checkpoint) -> F64:
    out = np.empty((len(features), vectors.shape[1]))
    for span in spans(len(features), 8 * features.shape[1]):
        np.matmul(features[span].astype(np.float64), vectors, out=out[span])
        checkpoint()
    return out


def glorot(dimensions: int, heads: int, seed: int) -> GatWeights:
    """Untrained weights (Glorot and Bengio 2010) with F' = d/H rounded up."""
    random, width = np.random.RandomState(seed), -(-dimensions // heads)

    def drawn(*shape: int) -> F64:
        bound = math.sqrt(6 / (shape[0] + shape[-1]))
        return random.uniform(-bound, bound, shape)

    projection = drawn(dimensions, heads * width).reshape(dimensions, heads, width)
    return GatWeights(projection, drawn(heads, width), drawn(heads, width))


def _uniform(dimensions: int, heads: int) -> GatWeights:
    """Weights that make every neighbour count alike: the mean of the neighbours."""
    return GatWeights(np.zeros((dimensions, heads, 1)), np.zeros((heads, 1)), np.zeros((heads, 1)))


def gat_scorer(dimensions: int, heads: int, temperature: float, options: Options) -> GatScorer:
    """The scorer with the weights that the option `init` asks for."""
    if options["init"] is None:
        raise InvalidOption(
            "gat needs trained weights, and none are given",
            'Take gatv2, which does without, or ask for untrained weights: {"init": "seeded"}, or {"init": '
            '"uniform"} for the mean of the neighbours.',
        )
    seeded = options["init"] == "seeded"
    weights = glorot(dimensions, heads, int(options["seed"])) if seeded else _uniform(dimensions, heads)
    return GatScorer(weights, float(options["negative_slope"]), temperature)


def untrained(features: F32, heads: int, options: Options) -> str | None:
    """What a user is told of seeded weights."""
    seeded = options["init"] == "seeded"
    return "the weights of gat are untrained: drawn at random, nothing is learned" if seeded else None


MECHANISM = Mechanism(
    name="gat",
    aliases=("graph_attention",),
    family="graph",
    feature="graph",
    complexity="O(deg H F') after the projection of the nodes",
    memory="O(E H)",
    best_for="trained graph models",
    formula="a = mean_h softmax_j(LeakyReLU(a_s^T W h_j + a_t^T W h_i) / temperature) over neighbours j of i",
    reference="Velickovic et al. 2018, Graph Attention Networks",
    operations=("gat_search",),
    parameters=(
        Option("init", str, None, ("seeded", "uniform"), "Weights without a model, which are untrained."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the weights drawn at random."),
        Option("negative_slope", float, 0.2, Interval(0, 1), "Slope of LeakyReLU below 0."),
    ),
    scope="GRAPH",
    edges=gat_scorer,
    remark=untrained,
)
