"""Entmax: softmax with exact zeros (Martins and Astudillo 2016; Peters, Niculae and Martins 2019)."""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from ..core.dot import dot_scorer
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..weights import Weights, settled

_STEPS = 100
"""Halvings of an interval of length 1: more than float64 can tell apart."""


def weigh(problem: Problem) -> Weights:
    """The weights of all keys, head by head; those that entmax leaves out keep their logit and weigh 0."""
    alpha = float(problem.options["alpha"])
    logits = exact_logits(MECHANISM, problem)
    weights = np.stack([entmax(head, alpha) for head in logits])
    problem.checkpoint()
    return settled(weights, logits)


def entmax(logits: F64, alpha: float) -> F64:
    """The weights (n,) of logits (n,): [(alpha - 1) s - t]_+ ^ (1 / (alpha - 1)) with the sum 1."""
    shifted = logits - logits.max()
    if alpha == 1:
        weights = np.exp(shifted)
    else:
        z = (alpha - 1) * shifted
        inside = z > -1
        threshold = _THRESHOLDS.get(alpha, _by_bisection)(z[inside], alpha)
        weights = np.zeros_like(z)
        weights[inside] = np.maximum(z[inside] - threshold, 0) ** (1 / (alpha - 1))
    result: F64 = weights / weights.sum()
    return result


def _sparsemax(z: F64, alpha: float) -> float:
    """The threshold of alpha = 2 from the sorted z, the largest of which is 0."""
    z = np.sort(z)[::-1]
    thresholds = (np.cumsum(z) - 1) / np.arange(1, len(z) + 1)
    return float(thresholds[np.count_nonzero(z > thresholds) - 1])


def _entmax15(z: F64, alpha: float) -> float:
    """The threshold of alpha = 1.5 from the sorted z, the largest of which is 0."""
    z = np.sort(z)[::-1]
    counts = np.arange(1, len(z) + 1)
    means = np.cumsum(z) / counts
    spreads = np.cumsum(z * z) - counts * means * means
    thresholds = means - np.sqrt(np.maximum((1 - spreads) / counts, 0))
    return float(thresholds[np.count_nonzero(thresholds <= z) - 1])


def _by_bisection(z: F64, alpha: float) -> float:
    """The threshold of any alpha; it lies in [-1, 0]."""
    low, high = -1.0, 0.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if (np.maximum(z - middle, 0) ** (1 / (alpha - 1))).sum() >= 1:
            low = middle
        else:
            high = middle
    return low


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
)
