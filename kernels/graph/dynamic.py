"""The dynamic attention of GATv2 (Brody, Alon and Yahav 2022) with learned weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats, by_heads, spans
from ..edges import Edges
from .attributes import features_of
from .gat import leaky


@dataclass(frozen=True)
class DynamicWeights:
    """Projections (d, H, F') of neighbour and centre, (f, H, F') of the edge; attention, bias (H, F')."""

    neighbour: Floats
    centre: Floats
    edge: Floats | None
    attention: Floats
    bias: Floats | float = 0.0


class DynamicScorer:
    """Logits a^T LeakyReLU(W_l h_j + W_r h_i + W_e f_ij + b) / temperature of neighbour j and centre i."""

    def __init__(self, weights: DynamicWeights, slope: float, temperature: float) -> None:
        self._weights, self._slope, self._temperature = weights, slope, temperature

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of features (n, d)."""
        w = self._weights
        logits = np.empty((len(edges), len(w.attention)))
        for span in spans(len(edges), 8 * features.shape[1]):
            part = edges.take(np.arange(span.start, span.stop))
            sums = np.tensordot(features[part.neighbours].astype(np.float64), w.neighbour, 1)
            sums += np.tensordot(features[part.centres].astype(np.float64), w.centre, 1)
            sums += w.bias
            if w.edge is not None:
                sums += np.tensordot(features_of(part), w.edge, 1)
            np.einsum("ehf,hf->eh", leaky(sums, self._slope), w.attention, out=logits[span])
            checkpoint()
        logits /= self._temperature
        return logits


class DynamicKeyScorer:
    """The same logits where every key is a neighbour of the query; both have been projected."""

    def __init__(self, query: F64, attention: Floats, slope: float, temperature: float, dtype: type) -> None:
        """query and attention (H, F'); dtype: that of the keys to come."""
        self._query: Floats = query.astype(dtype)
        scaled = attention.astype(np.float64) / temperature
        self._attention: Floats = scaled.astype(dtype)
        self._slope = slope
        self._sizes = np.sqrt((scaled * scaled).sum(axis=1))
        self._lengths = np.sqrt((query * query).sum(axis=1))

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, H F') into out (H, n)."""
        sums = leaky(by_heads(keys, len(self._query)) + self._query, self._slope)
        np.add.reduce(sums * self._attention, axis=2, out=out.T)

    def rounding(self, keys: Floats) -> Floats:
        """|error| <= (F' + 8) u ||a|| (||q|| + ||k||) for each head, as LeakyReLU makes no error larger.

        Higham, ASNA section 3.1; the norm of a whole key bounds that of its slices.
        """
        norms = np.sqrt(np.einsum("nd,nd->n", keys, keys, dtype=np.float64) + keys.shape[1] * TINY32)
        terms = (self._query.shape[1] + 8) * EPS32
        constant, factor = terms * (self._sizes * self._lengths).max(), terms * self._sizes.max()
        return np.asarray(norms * factor + constant + TINY32, np.float32)
