"""The logit of one query and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import F64, MAX32, Floats
from .attend import checked_heads, no_positions, slices_of
from .core.dot import DOT_FEATURES, dot_factor
from .logits import check_width, overflow
from .mechanism import Mechanism, parse_options, parse_temperature

Logit = Callable[[Floats], float]
"""A key (d,) -> its logit with the query that this was made for."""


class Pairs:
    """Settings made ready for pairs of vectors as wide as one query (d,).

    Errors of the making are those of `attend`; NumericOverflow comes from logits.
    """

    def __init__(
        self,
        mechanism: Mechanism,
        query: Floats,
        *,
        num_heads: int | None = None,
        temperature: float | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._mechanism, self._width = mechanism, query.size
        self._heads = checked_heads(mechanism, query, num_heads)
        self._divisor = parse_temperature(mechanism, temperature)
        self._options = parse_options(mechanism, options or {})
        if mechanism.needs_order(self._options):
            raise no_positions(mechanism)
        self._factor = self._dot_factor()

    def of(self, query: Floats) -> Logit:
        """Logits of keys with this query (d,), means over heads in float64."""
        if self.is_product:
            return lambda key: self.product(query, key)
        value = self._scored(query.astype(np.float64))

        def logit(key: Floats) -> float:
            self._check_width(key)
            return self._checked(value(key.astype(np.float64)), query, key)

        return logit

    @property
    def is_product(self) -> bool:
        """Whether logits are `product`, for which no query need be made ready."""
        return self._factor is not None

    def product(self, query: Floats, key: Floats) -> float:
        """The logit of a pair where it is one product of them, in any order."""
        assert self._factor is not None
        self._check_width(key)
        dot = query.astype(np.float64).dot(key.astype(np.float64))
        return self._checked(self._factor * float(dot), query, key)

    def _check_width(self, key: Floats) -> None:
        if len(key) != self._width:
            check_width(self._mechanism, self._width, len(key), self._heads, self._options)

    def _checked(self, logit: float, query: Floats, key: Floats) -> float:
        if not abs(logit) <= MAX32:
            raise overflow("the logit of query and key", query, key)
        return logit

    def _dot_factor(self) -> float | None:
        """What a product of whole vectors is multiplied by to give the heads' mean; None for other logits."""
        chosen = self._mechanism
        if chosen.features is not DOT_FEATURES or chosen.kernel or not chosen.pairwise(self._options):
            return None
        return dot_factor(self._width // self._heads, self._divisor, self._options) / self._heads

    def _scored(self, query: F64) -> Logit:
        slices = slices_of(query, self._heads)
        scorer = self._mechanism.scorer(slices, self._divisor, self._options, np.float64)
        out = np.empty((self._heads, 1))

        def value(key: Floats) -> float:
            scorer.logits(key[None], out)
            if self._mechanism.kernel:
                np.exp(out, out=out)
            return float(out[0, 0] if self._heads == 1 else out.mean())

        return value


def pair_logit(mechanism: Mechanism, query: Floats, key: Floats, **settings: Any) -> float:
    """The logit of query (d,) with key (d,); settings as for `Pairs`."""
    return Pairs(mechanism, query, **settings).of(query)(key)
