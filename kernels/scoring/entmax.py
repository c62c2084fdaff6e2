"""Entmax: softmax with exact zeros (Martins and Astudillo 2016; Peters, Niculae and Martins 2019)."""

from __future__ import annotations

import numpy as np

from ..arrays import F64, Checkpoint, uninterrupted
from ..core.dot import dot_scorer
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..projections import LAYER
from ..weights import Weights, settled

_STEPS = 100
"""Halvings of an interval of length 1, whose lower end may be as near to 0 as alpha is to 1."""


def weigh(problem: Problem) -> Weights:
    """The weights of all keys, head by head; those that entmax leaves out keep their logit and weigh 0."""
    alpha = float(problem.options["alpha"])
    logits = exact_logits(MECHANISM, problem)
    weights = np.stack([entmax(head, alpha, problem.checkpoint) for head in logits])
    return settled(weights, logits)


def entmax(logits: F64, alpha: float, checkpoint: Checkpoint = uninterrupted) -> F64:
    """The weights (n,) of logits (n,): [(alpha - 1) s - t]_+ ^ (1 / (alpha - 1)) with the sum 1."""
    checkpoint()
    shifted = logits - logits.max()
    if alpha == 1:
        weights = np.exp(shifted)
    else:
        z = (alpha - 1) * shifted
        inside = z > -1
        weights = np.zeros_like(z)
        if alpha in _THRESHOLDS:
            left = np.maximum(z[inside] - _THRESHOLDS[alpha](z[inside]), 0)
            weights[inside] = left ** (1 / (alpha - 1))
        else:
            weights[inside] = _by_bisection(z[inside], alpha, checkpoint)
    result: F64 = weights / weights.sum()
    return result


def _sparsemax(z: F64) -> float:
    """The threshold of alpha = 2 from the sorted z, the largest of which is 0."""
    z = np.sort(z)[::-1]
    thresholds = (np.cumsum(z) - 1) / np.arange(1, len(z) + 1)
    return float(thresholds[np.count_nonzero(z > thresholds) - 1])


def _entmax15(z: F64) -> float:
    """The threshold of alpha = 1.5 from the sorted z, the largest of which is 0."""
    z = np.sort(z)[::-1]
    counts = np.arange(1, len(z) + 1)
    means = np.cumsum(z) / counts
    spreads = np.cumsum(z * z) - counts * means * means
    thresholds = means - np.sqrt(np.maximum((1 - spreads) / counts, 0))
    return float(thresholds[np.count_nonzero(thresholds <= z) - 1])


def _by_bisection(z: F64, alpha: float, checkpoint: Checkpoint) -> F64:
    """The weights of z > -1, the largest of which is 0, for any alpha, by the threshold u - 1 in [-1, 0].

    z - u + 1 and its power are taken in logarithms of 1 + (z - u), which keep their digits where alpha is
    near 1 and the power is high.
    """
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _powers(z - middle, alpha).sum() >= 1:
            low = middle
        else:
            high = middle
        checkpoint()
    return _powers(z - low, alpha)


def _powers(less_1: F64, alpha: float) -> F64:
    """[1 + x]_+ ^ (1 / (alpha - 1)) of x (n,)."""
    with np.errstate(divide="ignore"):
        result: F64 = np.exp(np.log1p(np.maximum(less_1, -1)) / (alpha - 1))
    return result


_THRESHOLDS = {1.5: _entmax15, 2.0: _sparsemax}

MECHANISM = Mechanism(
    name="entmax",
    aliases=("sparsemax", "entmax15"),
    family="scoring",
    feature="attention",
    complexity="O(n d + n log n)",
    memory="O(n)",
    best_for="exact zeros without choosing k",
    formula="a_j = [(alpha - 1) s_j - t]_+ ^ (1 / (alpha - 1)), s_j = <q, k_j> / (sqrt(d) temperature)",
    reference="Martins and Astudillo 2016; Peters, Niculae and Martins 2019, Sparse Sequence-to-Sequence",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("alpha", float, 1.5, Interval(1, 4), "1 is softmax, 2 sparsemax: the larger, the sparser."),
    ),
    presets={"sparsemax": {"alpha": 2.0}, "entmax15": {"alpha": 1.5}},
    weight_kind="D0",
    scorer=dot_scorer,
    weigh=weigh,
    training=LAYER,
)
