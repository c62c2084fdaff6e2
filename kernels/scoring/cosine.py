"""Cosine attention (Graves et al. 2014; Henry et al. 2020; Liu et al. 2022, Swin Transformer V2)."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F64, Floats, Rows, by_heads, head_dots
from ..mechanism import Features, Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..projections import LAYER

_SAFE_SQUARE = 1e-25
"""Sums of squares below it may have lost terms to float32 underflow."""


class CosineScorer:
    """Logits cos(query slice, key slice) / temperature; 0 where either is the zero vector."""

    def __init__(self, query: F64, temperature: float, dtype: type) -> None:
        """query (H, d/H); dtype: that of the keys to come."""
        self._exact: F64 = query / _norms(query) / temperature
        self._query: Floats = self._exact.astype(dtype)
        self._bound: float = (2 * query.shape[1] + 8) * EPS32 / temperature

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = by_heads(keys, len(self._query))
        head_dots(self._query, keys, out)
        if keys.dtype == np.float64:
            out /= _norms(split)[:, :, 0].T
            return
        squares = np.einsum("nhd,nhd->nh", split, split)
        out *= np.ascontiguousarray((1 / np.sqrt(squares)).T)
        if not (squares.min() > _SAFE_SQUARE and squares.max() < np.inf):
            safe = (squares > _SAFE_SQUARE) & (squares < np.inf)
            self._redo_in_float64(keys, np.flatnonzero(~safe.all(axis=1)), out)

    def _redo_in_float64(self, keys: Floats, rows: Rows, out: Floats) -> None:
        """Logits of the rows whose squares float32 cannot hold, and of zero vectors."""
        split = by_heads(keys[rows].astype(np.float64), len(self._query))
        out[:, rows] = ((split / _norms(split)) * self._exact).sum(axis=2).T

    def rounding(self, keys: Floats) -> float:
        """Rounding of the product, of the norm and of the unit query; the logit is at most 1/temperature."""
        return self._bound


def _norms(vectors: Floats) -> Floats:
    """Norms along the last axis, which is kept; 1 in place of 0, so that the zero vector has cosine 0."""
    norms = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    result: Floats = np.where(norms > 0, norms, 1)
    return result


def cosine_scorer(query: F64, temperature: float, options: Options, dtype: type) -> CosineScorer:
    """The scorer of query slices (H, d/H)."""
    return CosineScorer(query, temperature, dtype)


def _scaled_unit(slices: F64, temperature: float, options: Options) -> F64:
    return slices / _norms(slices) / temperature


def _unit(slices: Floats, temperature: float, options: Options) -> Floats:
    return unit_vectors(slices)


def unit_vectors(slices: Floats) -> Floats:
    """Unit vectors in the dtype of the slices; in float64 between, where float32 cannot hold the squares."""
    squares = np.einsum("...w,...w->...", slices, slices)[..., None]
    if slices.dtype == np.float64 or (squares.min() > _SAFE_SQUARE and squares.max() < np.inf):
        return slices / np.where(squares > 0, np.sqrt(squares), 1)
    wide = slices.astype(np.float64)
    return (wide / _norms(wide)).astype(np.float32)


MECHANISM = Mechanism(
    name="cosine",
    aliases=("qk_norm", "swin_v2", "differentiable_search"),
    family="scoring",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="embeddings of uneven norm",
    formula="a = softmax_j(cos(q, k_j) / temperature), temperature = 0.1 by default",
    reference="Graves et al. 2014; Henry et al. 2020; Liu et al. 2022, Swin Transformer V2",
    temperature=Option("temperature", float, 0.1, Interval(0.01), "Cosines are divided by it."),
    scorer=cosine_scorer,
    features=Features(_scaled_unit, _unit),
    training=LAYER,
)
