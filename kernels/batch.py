"""Many queries made ready for blocks of keys, which then go through one matrix product a head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .arrays import EPS32, F32, F64, Checkpoint, Floats, Rows, by_heads, spans
from .attend import check_columns
from .errors import InvalidOption, InvalidShape
from .keyset import KeySet
from .logits import check_width
from .mechanism import Mechanism, parse_num_heads, parse_options, parse_temperature
from .problem import BatchProblem, Options
from .weights import BatchWeights

KERNEL_RANGE = 20.0
"""Kernels of vectors whose exponents stay within it lose no term to float32 underflow."""


class Settings:
    """A mechanism with the heads, temperature and options in effect for vectors of `dimensions`."""

    def __init__(
        self,
        mechanism: Mechanism,
        dimensions: int,
        num_heads: int | None = None,
        temperature: float | None = None,
        options: Options | None = None,
    ) -> None:
        self.mechanism = mechanism
        self.heads = parse_num_heads(mechanism, num_heads, dimensions)
        self.temperature = parse_temperature(mechanism, temperature)
        self.options = parse_options(mechanism, options or {})

    @property
    def for_attend(self) -> dict[str, Any]:
        """The same as keywords of `attend`."""
        return {"num_heads": self.heads, "temperature": self.temperature, "options": self.options}


class ManyQueries:
    """Queries (m, d) under the features of their mechanism, in the dtype of the keys to come."""

    def __init__(self, settings: Settings, queries: Floats, dtype: type) -> None:
        assert settings.mechanism.features is not None
        self._maps, self._heads = settings.mechanism.features, settings.heads
        self._settings = (settings.temperature, settings.options)
        slices = queries.astype(np.float64).reshape(len(queries), settings.heads, -1)
        self._exact: Floats = self._maps.queries(slices, *self._settings)
        self._features: Floats = np.ascontiguousarray(self._exact.transpose(1, 0, 2).astype(dtype))

    def __len__(self) -> int:
        return len(self._exact)

    def products(self, keys: Floats, out: Floats) -> None:
        """Write the logits, or the kernels, of keys (b, d) into out (H, m, b)."""
        features = self._maps.keys(by_heads(keys, self._heads), *self._settings)
        np.matmul(self._features, features.transpose(1, 2, 0), out=out)

    def exact(self, places: Rows, keys: F32) -> F64:
        """float64 logits or kernels (c, H) of queries at these places (c,) with keys (c, d), pair by pair."""
        out = np.empty((len(places), self._heads))
        for span in spans(len(places), 16 * keys.shape[1]):
            features = self._maps.keys(by_heads(keys[span].astype(np.float64), self._heads), *self._settings)
            np.add.reduce(features * self._exact[places[span]], axis=2, out=out[span])
        return out

    def lengths(self) -> F64:
        """The largest norm (m,) of each query's features over its heads."""
        squares = np.einsum("mhf,mhf->mh", self._exact, self._exact)
        return np.asarray(np.sqrt(squares.max(axis=1)), np.float64)

    def rounding(self, longest_key: float) -> F64:
        """A bound (m,) on the float32 rounding of a product with features no longer than this.

        Higham, ASNA section 3.1, with the rounding of the features themselves.
        """
        terms = 2 * (self._exact.shape[2] + 8)
        bound: F64 = self.lengths() * (terms * EPS32 * longest_key)
        return bound


def longest_key(settings: Settings, keys: F32 | KeySet) -> float:
    """The largest norm of the features of any slice of any key."""
    maps, longest = settings.mechanism.features, 0.0
    assert maps is not None
    for span in spans(len(keys), 4 * keys.shape[1]):
        features = maps.keys(by_heads(keys[span], settings.heads), settings.temperature, settings.options)
        longest = max(longest, float(np.einsum("bhf,bhf->bh", features, features).max()))
    return math.sqrt(longest)


def within_range(settings: Settings, queries: Floats, keys: F32 | KeySet, limit: float) -> bool:
    """Whether matrix products serve: no logit beyond +-limit, no kernel that float32 could lose."""
    mechanism = settings.mechanism
    if mechanism.features is None or not mechanism.pairwise(settings.options):
        return False
    with np.errstate(all="ignore"):
        if mechanism.kernel:
            blocks = (keys[span] for span in spans(len(keys), 4 * keys.shape[1]))
            return max(largest_exponent(settings, vectors) for vectors in (queries, *blocks)) <= KERNEL_RANGE
        lengths = ManyQueries(settings, queries, np.float32).lengths()
        return bool(lengths.max(initial=0) * longest_key(settings, keys) <= limit)


def largest_exponent(settings: Settings, vectors: Floats) -> float:
    """How large an exponent the features of any slice of vectors (n, d) take, of a kernel mechanism."""
    assert settings.mechanism.features is not None
    slices = by_heads(vectors, settings.heads)
    return settings.mechanism.features.exponent(slices, settings.temperature, settings.options)


def weigh_batch(
    settings: Settings, queries: Floats, keys: F32, columns: Mapping[str, F64] | None, checkpoint: Checkpoint
) -> BatchWeights:
    """The weights of queries (m, d) together over keys (n, d), m and n >= 1."""
    assert settings.mechanism.weigh_batch is not None
    check_columns(settings.mechanism, settings.options, columns or {})
    slices = queries.astype(np.float64).reshape(len(queries), settings.heads, -1)
    return settings.mechanism.weigh_batch(
        BatchProblem(slices, keys, settings.temperature, settings.options, columns or {}, checkpoint)
    )


def check_queries(settings: Settings, queries: Floats, keys: Floats | KeySet) -> None:
    """Raise InvalidShape unless queries (m, d) and keys (n, d_k) are matrices whose widths go together."""
    if queries.ndim != 2 or keys.ndim != 2:
        raise InvalidShape(
            f"queries have {queries.ndim} dimensions and keys {keys.ndim}, each must be a matrix"
        )
    if len(queries) and len(keys):
        check_width(settings.mechanism, queries.shape[1], keys.shape[1], settings.heads, settings.options)


def check_heads_of_values(heads: int, width: int) -> None:
    """Raise InvalidShape unless each head can have an equal slice of the values."""
    if width % heads:
        raise InvalidShape(
            f"num_heads is {heads}, which does not divide the values' {width} dimensions",
            "Each head gives an equal slice of the output.",
        )


def too_small(normaliser: float, logit: float) -> InvalidOption:
    """The error for a normaliser that makes a weight beyond the range of float32."""
    return InvalidOption(
        f"normaliser is {normaliser:g}, the largest logit is {logit:g}",
        "A normaliser is the log-sum-exp over these keys and more, so it is no less than any logit.",
    )
