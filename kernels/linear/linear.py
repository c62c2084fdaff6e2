"""Linear attention with the feature map elu(x) + 1 (Katharopoulos et al. 2020)."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F64, Floats, by_heads, head_dots
from ..core.causal import not_after
from ..mechanism import Features, Mechanism
from ..options import Option
from ..problem import Options
from ..projections import LAYER

_SMALL = 1e-25
"""Kernels below it may have lost terms to float32 underflow."""


def feature_map(x: Floats) -> Floats:
    """elu(x) + 1: x + 1 where x > 0, else exp(x); in the dtype of x."""
    result: Floats = np.maximum(x, 0) + np.exp(np.minimum(x, 0))
    return result


def log_feature_map(x: Floats) -> Floats:
    """The logarithm of `feature_map`, which does not underflow."""
    result: Floats = np.minimum(x, 0) + np.log1p(np.maximum(x, 0))
    return result


class LinearScorer:
    """Logits ln <phi(query slice), phi(key slice)>: their softmax is the kernel over its sum."""

    def __init__(self, query: F64, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._exact = query
        self._features: Floats = feature_map(query).astype(dtype)
        self._terms = query.shape[1] + 24
        self._size = float(np.abs(query).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        head_dots(self._features, feature_map(keys), out)
        # between the bounds no term is lost to underflow or overflow; the negation also catches NaN
        doubtful = np.flatnonzero(~((out > _SMALL) & (out < np.inf)).all(axis=0))
        np.log(out, out=out)
        if len(doubtful):
            out[:, doubtful] = self._in_logarithms(keys[doubtful].astype(np.float64))

    def _in_logarithms(self, keys: Floats) -> Floats:
        """The logits of keys (n, d) without a product that could underflow."""
        terms = log_feature_map(by_heads(keys, len(self._exact))) + log_feature_map(self._exact)
        largest = terms.max(axis=2, keepdims=True)
        result: Floats = (largest[:, :, 0] + np.log(np.exp(terms - largest).sum(axis=2))).T
        return result

    def rounding(self, keys: Floats) -> Floats:
        """The relative rounding of a sum of positive terms, and that of its logarithm, by size."""
        size = np.abs(keys).max(axis=1) + np.float32(self._size)
        return np.asarray(np.float32(EPS32) * (size + np.float32(self._terms)))


def linear_scorer(query: F64, temperature: float, options: Options, dtype: type) -> LinearScorer:
    """The scorer of query slices (H, d/H)."""
    return LinearScorer(query, dtype)


def _mapped(slices: Floats, temperature: float, options: Options) -> Floats:
    return feature_map(slices)


MECHANISM = Mechanism(
    name="linear",
    aliases=("linear_elu", "linear_transformer"),
    family="linear",
    feature="attention",
    complexity="O(n d d_v), O(d d_v) with its state kept",
    memory="O(d d_v)",
    best_for="incremental aggregates, large n",
    formula="a_j = <phi(q), phi(k_j)> / sum_l <phi(q), phi(k_l)>, phi(x) = elu(x) + 1",
    reference="Katharopoulos et al. 2020, Transformers are RNNs",
    temperature=None,
    parameters=(Option("causal", bool, False, None, "Whether keys after the query are hidden."),),
    scorer=linear_scorer,
    kernel=True,
    features=Features(_mapped, _mapped),
    ordered=lambda options: bool(options["causal"]),
    visible=not_after,
    training=LAYER,
)
