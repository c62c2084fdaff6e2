"""Attention by the Gaussian kernel (Nadaraya 1964; Watson 1964; L2 attention, Kim et al. 2021)."""

from __future__ import annotations

import math
import sys

import numpy as np

from ..arrays import EPS32, F64, TINY32, Floats, by_heads
from ..mechanism import Features, Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import LAYER


class GaussianScorer:
    """Logits -||query slice - key slice||^2 / divisor."""

    def __init__(self, query: F64, divisor: float, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._query: Floats = query.astype(dtype)
        self._divisor = divisor
        self._length = float(np.sqrt((query * query).sum()))

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        apart = by_heads(keys, len(self._query)) - self._query
        np.multiply(apart, apart, out=apart)
        np.add.reduce(apart, axis=2, out=out.T)
        out /= -self._divisor

    def rounding(self, keys: Floats) -> Floats:
        """Squares are off by their differences' rounding, a sum by one a term (Higham, ASNA section 3.1)."""
        squares = np.matmul(keys[:, None, :], keys[:, :, None])[:, 0, 0]
        reach = np.sqrt(squares.astype(np.float64) + keys.shape[1] * TINY32) + self._length
        bound = reach * reach * ((self._query.shape[1] + 8) * EPS32 / self._divisor) + TINY32
        return np.asarray(np.minimum(bound, 3e38), np.float32)


def _divisor(width: int, temperature: float, options: Options) -> float:
    """2 h^2 temperature, not below the smallest normal number; h is width^(1/4) unless given."""
    bandwidth = options["bandwidth"]
    square = math.sqrt(width) if bandwidth is None else float(bandwidth) * float(bandwidth)
    return max(2 * square * temperature, sys.float_info.min)


def gaussian_scorer(query: F64, temperature: float, options: Options, dtype: type) -> GaussianScorer:
    """The scorer of query slices (H, d/H)."""
    return GaussianScorer(query, _divisor(query.shape[1], temperature, options), dtype)


def _of_queries(slices: F64, temperature: float, options: Options) -> F64:
    """(2q, -1, -||q||^2) / divisor: its product with a key's features is the logit."""
    squares = (slices * slices).sum(axis=-1, keepdims=True)
    parts = [2 * slices, -np.ones_like(squares), -squares]
    result: F64 = np.concatenate(parts, axis=-1) / _divisor(slices.shape[-1], temperature, options)
    return result


def _of_keys(slices: Floats, temperature: float, options: Options) -> Floats:
    """(k, ||k||^2, 1)."""
    squares = np.einsum("...w,...w->...", slices, slices)[..., None]
    return np.concatenate([slices, squares, np.ones_like(squares)], axis=-1)


MECHANISM = Mechanism(
    name="gaussian_kernel",
    aliases=("rbf", "nadaraya_watson", "l2"),
    family="scoring",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="Euclidean embeddings, smoothing",
    formula="a = softmax_j(-||q - k_j||^2 / (2 h^2 temperature)), h = d^(1/4)",
    reference="Nadaraya 1964; Watson 1964; Kim et al. 2021, The Lipschitz Constant of Self-Attention",
    parameters=(
        Option(
            "bandwidth",
            float,
            None,
            Interval(0, low_open=True),
            "Width h; d^(1/4) if left out.",
        ),
    ),
    scorer=gaussian_scorer,
    features=Features(_of_queries, _of_keys),
    training=LAYER,
)
