"""The logit of one query and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import F64, MAX32, Floats
from .attend import checked_heads, no_positions, slices_of
from .core.dot import DOT_FEATURES
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
        wide = query.astype(np.float64)
        value = self._scored(wide) if self._factor is None else (wide * self._factor).dot

        def logit(key: Floats) -> float:
            if len(key) != self._width:
                check_width(self._mechanism, self._width, len(key), self._heads, self._options)
            result = float(value(key.astype(np.float64)))
            if not abs(result) <= MAX32:
                raise overflow("the logit of query and key", query, key)
            return result

        return logit

    def _dot_factor(self) -> float | None:
        """What a product of whole vectors is multiplied by to give the heads' mean; None for other logits."""
        chosen = self._mechanism
        if chosen.features is not DOT_FEATURES or chosen.kernel or not chosen.pairwise(self._options):
            return None
        one = DOT_FEATURES.queries(np.ones((1, self._width // self._heads)), self._divisor, self._options)
        return float(one[0, 0]) / self._heads

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
