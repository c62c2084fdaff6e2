"""Dot products with projected keys that leave these as they are: <q, k W + b> = <W q, k> + <q, b>.

For one query that is less work than to project all keys, and needs no room for them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from .arrays import EPS32, F64, TINY32, Floats
from .core.dot import DOT_FEATURES
from .mechanism import Mechanism
from .problem import Options
from .projections import Affine


class AbsorbedScorer:
    """Logits <vector of each head, whole key> + a number of each head."""

    def __init__(self, query: F64, key: Affine, dtype: type) -> None:
        """query (H, w), scaled; key: the projection to H w. dtype: that of the keys to come."""
        vectors, numbers = key.absorbed(query)
        self._vectors: Floats = vectors.astype(dtype)
        self._numbers: Floats = numbers.astype(dtype)
        self._length = float(np.sqrt((vectors * vectors).sum(axis=1)).max())
        self._largest = float(np.abs(numbers).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        if keys.dtype == np.float32:
            out[:] = self._vectors @ keys.T
        else:
            for vector, of_head in zip(self._vectors, out, strict=True):
                np.add.reduce(keys * vector, axis=1, out=of_head)
        out += self._numbers[:, None]

    def rounding(self, keys: Floats) -> Floats:
        """|error| <= (d + 8) u (||v|| ||k|| + |c|) for a product with v and a number c (Higham, ASNA 3.1)."""
        norms = np.sqrt(np.einsum("nd,nd->n", keys, keys) + np.float32(keys.shape[1] * TINY32))
        terms = (keys.shape[1] + 8) * EPS32
        return np.asarray(
            norms * np.float32(terms * self._length) + np.float32(terms * self._largest + TINY32)
        )


def absorbs(mechanism: Mechanism, options: Options) -> bool:
    """Whether queries can take in the projection of the keys: where logits are products of pairs."""
    key = mechanism.projections.key
    products = mechanism.features is DOT_FEATURES and mechanism.pairwise(options)
    return products and key is not None and key.is_matrix


def absorbing(mechanism: Mechanism) -> Mechanism:
    """The same mechanism over keys that have not been projected."""
    key = mechanism.projections.key
    assert key is not None
    width = key.inputs
    return replace(
        mechanism,
        scorer=partial(_scorer, key),
        features=None,
        key_widths=lambda query_width, heads, options: (width,),
        projections=replace(mechanism.projections, key=None),
    )


def _scorer(key: Affine, query: F64, temperature: float, options: Options, dtype: type) -> AbsorbedScorer:
    scaled = np.asarray(DOT_FEATURES.queries(query, temperature, options), np.float64)
    return AbsorbedScorer(scaled, key, dtype)
