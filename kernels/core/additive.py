"""Additive attention (Bahdanau, Cho and Bengio 2015): a small network scores each pair."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import EPS32, F64, Floats, by_heads
from ..errors import InvalidOption
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import PROJECTIONS, projections_of
from ..trained import Tensors, Training, check_axes, check_lengths
from ..untrained import by_init, told


@dataclass(frozen=True)
class AdditiveWeights:
    """query and key (H, h, w), the projections of each head, None for the identity; output (H, h)."""

    query: F64 | None
    key: F64 | None
    output: F64


class AdditiveScorer:
    """Logits output^T tanh(W_q query slice + W_k key slice) / temperature."""

    def __init__(self, query: F64, temperature: float, weights: AdditiveWeights, dtype: type) -> None:
        """query (H, w); dtype: that of the keys to come."""
        asked = query if weights.query is None else np.einsum("hiw,hw->hi", weights.query, query)
        self._asked: Floats = asked.astype(dtype)
        self._output: Floats = (weights.output / temperature).astype(dtype)
        self._key: Floats | None = None if weights.key is None else weights.key.astype(dtype)
        self._bounds = _rounding_factors(query, weights, temperature)

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        hidden = self._projected(by_heads(keys, len(self._asked)))
        hidden += self._asked
        np.tanh(hidden, out=hidden)
        np.add.reduce(hidden * self._output, axis=2, out=out.T)

    def _projected(self, slices: Floats) -> Floats:
        """W_k times each slice (n, H, w), in memory of its own; in float64 each row alone."""
        if self._key is None:
            return np.array(slices)
        if slices.dtype == np.float32:
            by_head = np.matmul(slices.transpose(1, 0, 2), self._key.transpose(0, 2, 1))
            return np.asarray(by_head.transpose(1, 0, 2))
        return np.asarray(np.einsum("nhw,hiw->nhi", slices, self._key))

    def rounding(self, keys: Floats) -> Floats:
        """tanh passes an error on at most as it is; its arguments are dot products, and the logit a sum."""
        by_length, constant = self._bounds
        lengths = np.sqrt(np.einsum("nd,nd->n", keys, keys))
        return np.asarray(lengths * np.float32(by_length) + np.float32(constant), np.float32)


def _rounding_factors(query: F64, weights: AdditiveWeights, temperature: float) -> tuple[float, float]:
    """A bound on rounding: a factor of the key's length, and a constant."""
    hidden, width = weights.output.shape[1], query.shape[1]
    sizes = np.abs(weights.output) / temperature
    of_keys = 1.0 if weights.key is None else np.sqrt((weights.key**2).sum(axis=2))
    of_query = 1.0 if weights.query is None else np.sqrt((weights.query**2).sum(axis=2))
    lengths = np.sqrt((query * query).sum(axis=1))[:, None]
    terms = (width + 8) * EPS32
    constant = (sizes * (terms * of_query * lengths + (hidden + 16) * EPS32)).sum(axis=1).max()
    return float(terms * (sizes * of_keys).sum(axis=1).max()), float(constant)


def additive_scorer(query: F64, temperature: float, options: Options, dtype: type) -> AdditiveScorer:
    """The scorer of query slices (H, w) with the weights that the option `init` asks for."""
    if options["init"] is None:
        raise InvalidOption(
            "additive needs trained weights, and none are given",
            'Name a model, take scaled_dot, which does without, or ask for others: {"init": "identity"} or '
            '"seeded".',
        )
    heads, width = query.shape
    return AdditiveScorer(query, temperature, _weights(heads, width, options), dtype)


def _weights(heads: int, width: int, options: Options) -> AdditiveWeights:
    if options["init"] == "identity":
        return AdditiveWeights(None, None, np.ones((heads, width)))
    hidden = int(options["hidden"] or width)
    random = np.random.RandomState(int(options["seed"]))
    bound, last = math.sqrt(6 / (width + hidden)), math.sqrt(6 / (1 + hidden))
    query, key = (random.uniform(-bound, bound, (heads, hidden, width)) for _ in range(2))
    return AdditiveWeights(query, key, random.uniform(-last, last, (heads, hidden)))


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """additive with the weights of a set: between vectors that are projected already w alone is left."""
    check_axes(tensors, "w", "hidden")
    check_lengths(tensors, ("w", 0), ("W_q", 1))
    output = tensors["w"].astype(np.float64)

    def scorer(query: F64, temperature: float, options: Options, dtype: type) -> AdditiveScorer:
        weights = AdditiveWeights(None, None, output.reshape(len(query), -1))
        return AdditiveScorer(query, temperature, weights, dtype)

    return replace(mechanism, parameters=(), scorer=scorer, projections=projections_of(tensors))


_REQUIRED = ("W_q", "W_k", "w")

MECHANISM = Mechanism(
    name="additive",
    aliases=("bahdanau", "concat"),
    family="core",
    feature="attention",
    complexity="O(n h) after the projection of the keys",
    memory="O(n + h)",
    best_for="trained alignment models",
    formula="a = softmax_j(w^T tanh(W_q q + W_k k_j) / temperature)",
    reference="Bahdanau, Cho and Bengio 2015, Neural Machine Translation by Jointly Learning to Align",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("init", str, None, ("identity", "seeded"), "Weights without a model, which are untrained."),
        Option("hidden", int, None, Interval(1, 65536), "Width h of seeded weights; the head's if left out."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the weights drawn at random."),
    ),
    scope="P+w",
    scorer=additive_scorer,
    remark=told("additive"),
    weights=by_init,
    training=Training(_REQUIRED, tuple(name for name in PROJECTIONS if name not in _REQUIRED), _bind),
)
