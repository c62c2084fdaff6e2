"""Gates (Shazeer et al. 2017): which experts a vector goes to, and with what weights."""

from __future__ import annotations

import math

import numpy as np

from .. import kmeans
from ..arrays import F32, F64, Checkpoint, Floats, Rows, spans, uninterrupted
from ..errors import InvalidOption, InvalidShape, NumericOverflow
from ..keyset import KeySet
from ..options import Interval, Option
from ..trained import Tensors, check_axes

ROUTE_OPTIONS = (
    Option(
        "gate", str, "seeded", ("seeded", "kmeans"), "Random projections, or centroids of the table's rows."
    ),
    Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the projections, or of the clusters' starts."),
)
"""Options of a gate without a model."""


def check_top_k(num_experts: int, top_k: int) -> None:
    """Raise InvalidOption unless a vector can go to so many experts."""
    if not 1 <= top_k <= num_experts:
        raise InvalidOption(
            f"top_k is {top_k}, num_experts is {num_experts}",
            "A vector goes to at least one expert, and to no more than there are.",
        )


def seeded_gate(dimensions: int, num_experts: int, seed: int) -> F64:
    """Gate vectors (E, d) drawn from a normal distribution: near vectors go alike, nothing is learned."""
    return np.random.RandomState(seed).standard_normal((num_experts, dimensions))


def kmeans_gate(keys: F32, num_experts: int, seed: int, checkpoint: Checkpoint = uninterrupted) -> F64:
    """Gate vectors (E, d): centroids of keys (n, d) over sqrt(d); fewer than asked for if few rows differ."""
    return kmeans.fit(keys, num_experts, seed, checkpoint) / math.sqrt(keys.shape[1])


def learned_gate(tensors: Tensors) -> F64:
    """The gate vectors (E, d) of a set."""
    check_axes(tensors, "gate", "experts, in")
    return tensors["gate"].astype(np.float64)


def check_width(gate: F64, vectors: Floats | KeySet) -> None:
    """Raise InvalidShape unless vectors (n, d) are as wide as those of the gate."""
    if vectors.shape[1] != gate.shape[1]:
        raise InvalidShape(
            f"vectors have {vectors.shape[1]} dimensions, the gate of the model takes {gate.shape[1]}",
            "Name a model that was fitted to such vectors, or other vectors.",
        )


def route(vectors: Floats, gate: F64, top_k: int) -> tuple[Rows, F64]:
    """Experts (n, k) of vectors (n, d), best first and from 0, and their weights (n, k): a softmax over them.

    k is top_k, or the number of gate vectors (E, d) where there are fewer.
    """
    experts = np.empty((len(vectors), min(top_k, len(gate))), np.intp)
    logits = np.empty(experts.shape)
    for span in spans(len(vectors), 8 * vectors.shape[1]):
        all_logits = vectors[span].astype(np.float64) @ gate.T
        order = np.argsort(-all_logits, axis=1, kind="stable")[:, : experts.shape[1]]
        experts[span], logits[span] = order, np.take_along_axis(all_logits, order, axis=1)
    if not np.isfinite(logits).all():
        raise NumericOverflow("a logit of the gate overflows", "Scale the vectors down.")
    weights = np.exp(logits - logits[:, :1])
    weights /= weights.sum(axis=1, keepdims=True)
    return experts, weights
