"""Graph attention networks (Velickovic et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats, spans
from ..edges import Edges
from ..errors import InvalidOption
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import Projections
from ..trained import Tensors, Training, without
from ..untrained import by_init, told
from .learned import NEGATIVE_SLOPE, check_heads, check_inputs, joined, output_of


@dataclass(frozen=True)
class GatWeights:
    """projection (d, H, F'), source (H, F') for the neighbour, target (H, F') for the centre."""

    projection: Floats
    source: Floats
    target: Floats


class GatScorer:
    """Logits LeakyReLU(a_source^T W h_j + a_target^T W h_i) / temperature of neighbour j and centre i."""

    def __init__(self, weights: GatWeights, slope: float, temperature: float) -> None:
        self._source = folded(weights.projection, weights.source)
        self._target = folded(weights.projection, weights.target)
        self._slope, self._temperature = slope, temperature

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        logits = leaky(self.sums(features, edges, checkpoint), self._slope) / self._temperature
        return np.asarray(logits, np.float64)

    def sums(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """What LeakyReLU is taken of, (E, H)."""
        source = _projected(features, self._source, checkpoint)
        target = _projected(features, self._target, checkpoint)
        sums: F64 = source[edges.neighbours] + target[edges.centres]
        return sums


class KeyScorer:
    """The same logits where every key is a neighbour of the query; each head sees whole vectors."""

    def __init__(
        self, query: F64, weights: GatWeights, slope: float, temperature: float, dtype: type
    ) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        source = folded(weights.projection, weights.source)
        target = query.reshape(-1) @ folded(weights.projection, weights.target)
        self._source: Floats = (source / temperature).astype(dtype)
        self._target: Floats = (target / temperature).astype(dtype)
        self._slope = slope
        self._lengths = np.sqrt((source * source).sum(axis=0)).max() / temperature
        self._offset = float(np.abs(target).max()) / temperature

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        if keys.dtype == np.float32:
            sums = keys @ self._source
        else:
            sums = np.add.reduce(keys[:, None, :] * self._source.T, axis=2)
        sums += self._target
        out[:] = leaky(sums, self._slope).T

    def rounding(self, keys: Floats) -> Floats:
        """|error| <= (d + 8) u (||a|| ||k|| + |b|) for a product with the vector a and the number b added.

        Higham, ASNA section 3.1; LeakyReLU makes no error larger. Squares too small for float32 are made up
        for.
        """
        squares = np.matmul(keys[:, None, :], keys[:, :, None])[:, 0, 0].astype(np.float64)
        norms = np.sqrt(squares + keys.shape[1] * TINY32)
        bound = (keys.shape[1] + 8) * EPS32 * (self._lengths * norms + self._offset) + TINY32
        result: Floats = bound.astype(np.float32)
        return result


class KnownKeys:
    """The same logits for any query, of keys whose part in the sums is known."""

    def __init__(
        self, keys: F32, weights: GatWeights, slope: float, temperature: float, checkpoint: Checkpoint
    ) -> None:
        source = folded(weights.projection, weights.source) / temperature
        self._source = np.ascontiguousarray(_projected(keys, source, checkpoint).T)
        self._target = folded(weights.projection, weights.target) / temperature
        self._slope = slope

    def __call__(self, query: F64) -> F64:
        """Query slices (H, d/H) -> logits (H, n)."""
        return np.asarray(
            leaky(self._source + (query.reshape(-1) @ self._target)[:, None], self._slope), np.float64
        )

    @property
    def nbytes(self) -> int:
        """Bytes of arrays held."""
        return int(self._source.nbytes + self._target.nbytes)


def leaky(sums: Floats, slope: float) -> Floats:
    """LeakyReLU (Maas et al. 2013) with a slope of 0 to 1."""
    result: Floats = np.maximum(sums, slope * sums)
    return result


def folded(projection: Floats, attention: Floats) -> F64:
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
    projection = drawn(random, dimensions, heads * width).reshape(dimensions, heads, width)
    return GatWeights(projection, drawn(random, heads, width), drawn(random, heads, width))


def drawn(random: np.random.RandomState, inputs: int, outputs: int) -> F64:
    """A matrix (inputs, outputs) of random weights."""
    bound = math.sqrt(6 / (inputs + outputs))
    return random.uniform(-bound, bound, (inputs, outputs))


def _uniform(dimensions: int, heads: int) -> GatWeights:
    """Weights that make every neighbour count alike: the mean of the neighbours."""
    return GatWeights(np.zeros((dimensions, heads, 1)), np.zeros((heads, 1)), np.zeros((heads, 1)))


def weights_of(dimensions: int, heads: int, options: Options) -> GatWeights:
    """The weights that the option `init` asks for."""
    if options["init"] is None:
        raise InvalidOption(
            "gat needs trained weights, and none are given",
            'Name a model, take gatv2, which does without, or ask for untrained weights: {"init": "seeded"}, '
            'or {"init": "uniform"} for the mean of the neighbours.',
        )
    seeded = options["init"] == "seeded"
    return glorot(dimensions, heads, int(options["seed"])) if seeded else _uniform(dimensions, heads)


WeightsOf = Callable[[int, int, Options], GatWeights]
"""Dimensions, number of heads, options -> weights."""


def edge_scorer(
    dimensions: int, heads: int, temperature: float, options: Options, weights_of: WeightsOf = weights_of
) -> GatScorer:
    """The scorer of edges with the weights that the options ask for."""
    weights = weights_of(dimensions, heads, options)
    return GatScorer(weights, float(options["negative_slope"]), temperature)


def key_scorer(
    query: F64, temperature: float, options: Options, dtype: type, weights_of: WeightsOf = weights_of
) -> KeyScorer:
    """The scorer of query slices (H, d/H) with the weights that the options ask for."""
    weights = weights_of(query.size, len(query), options)
    return KeyScorer(query, weights, float(options["negative_slope"]), temperature, dtype)


def known_keys(
    keys: F32,
    heads: int,
    temperature: float,
    options: Options,
    checkpoint: Checkpoint,
    weights_of: WeightsOf = weights_of,
) -> KnownKeys:
    """The scorer of these keys (n, d) with the weights that the options ask for."""
    weights = weights_of(keys.shape[1], heads, options)
    return KnownKeys(keys, weights, float(options["negative_slope"]), temperature, checkpoint)


def projected_values(
    keys: F32, query_width: int, heads: int, options: Options, checkpoint: Checkpoint
) -> F32:
    """The values W^h k of each head side by side (n, d), or the keys themselves under uniform weights."""
    if options["init"] == "uniform":
        return keys
    projection = weights_of(keys.shape[1], heads, options).projection
    out = np.empty_like(keys)
    for span in spans(len(keys), 8 * keys.shape[1]):
        out[span] = keys[span] @ projection.reshape(keys.shape[1], -1)
        checkpoint()
    return out


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """gat with the weights of a set; the keys' projections are the values."""
    check_heads(tensors, ["W"], ["a_src", "a_dst"])
    weights = GatWeights(tensors["W"], tensors["a_src"], tensors["a_dst"])

    def given(dimensions: int, heads: int, options: Options) -> GatWeights:
        check_inputs(dimensions, "W", tensors)
        return weights

    return replace(
        mechanism,
        parameters=without(mechanism, "init", "seed"),
        scorer=partial(key_scorer, weights_of=given),
        edges=partial(edge_scorer, weights_of=given),
        score_keys=partial(known_keys, weights_of=given),
        own_values=None,
        projections=Projections(value=joined(tensors, "W", ""), output=output_of(tensors)),
        heads=len(weights.source),
    )


MECHANISM = Mechanism(
    name="gat",
    aliases=("graph_attention",),
    family="graph",
    feature="graph",
    complexity="O(n d H), over a graph O(deg H) after the projection of the nodes",
    memory="O(n H), over a graph O(E H)",
    best_for="trained graph models",
    formula="a = mean_h softmax_j(LeakyReLU(a_s^T W h_j + a_t^T W h_i) / temperature) over neighbours j of i",
    reference="Velickovic et al. 2018, Graph Attention Networks",
    operations=(
        "attention_score",
        "mha_search",
        "attention",
        "cross_attention",
        "sliding_attention",
        "gat_search",
    ),
    parameters=(
        Option("init", str, None, ("seeded", "uniform"), "Weights without a model, which are untrained."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the weights drawn at random."),
        NEGATIVE_SLOPE,
    ),
    scope="P+w",
    scorer=key_scorer,
    own_values=projected_values,
    edges=edge_scorer,
    score_keys=known_keys,
    remark=told("gat"),
    weights=by_init,
    training=Training(("W", "a_src", "a_dst"), ("b_o",), _bind),
)
