"""The logit of one query and one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arrays import MAX32, Floats
from .attend import checked_heads, no_positions, slices_of
from .logits import check_width, overflow
from .mechanism import Mechanism, parse_options, parse_temperature


def pair_scorer(
    mechanism: Mechanism,
    query: Floats,
    *,
    num_heads: int | None = None,
    temperature: float | None = None,
    options: Mapping[str, object] | None = None,
) -> Callable[[Floats], float]:
    """One query (d,) made ready for single keys (d,): key -> logit, the mean over heads, in float64.

    Errors are those of `attend`; NumericOverflow comes from the call.
    """
    heads = checked_heads(mechanism, query, num_heads)
    divisor = parse_temperature(mechanism, temperature)
    chosen = parse_options(mechanism, options or {})
    if mechanism.needs_order(chosen):
        raise no_positions(mechanism)
    scorer = mechanism.scorer(slices_of(query, heads), divisor, chosen, np.float64)
    out = np.empty((heads, 1))

    def logit(key: Floats) -> float:
        if len(key) != query.size:
            check_width(mechanism, query.size, len(key), heads, chosen)
        scorer.logits(np.asarray(key, np.float64)[None], out)
        if mechanism.kernel:
            np.exp(out, out=out)
        value = float(out[0, 0] if heads == 1 else out.mean())
        if not abs(value) <= MAX32:
            raise overflow("the logit of query and key", query, key)
        return value

    return logit


def pair_logit(mechanism: Mechanism, query: Floats, key: Floats, **settings: Any) -> float:
    """The logit of query (d,) with key (d,); settings as for `pair_scorer`."""
    return pair_scorer(mechanism, query, **settings)(key)
