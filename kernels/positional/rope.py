"""Rotary positions (Su et al. 2021, RoFormer): query and key turn with their distance.

Only the age p_q - p_j counts: instead of turning both, the query is turned by the age of each key.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..arrays import EPS32, F64, TINY32, Floats, by_heads
from ..errors import InvalidShape
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option
from ..problem import Options
from ..projections import LAYER


class RotaryScorer:
    """Logits <query turned by the key's age, key slice> of keys of some ages."""

    def __init__(self, pairs: F64, turns: F64, interleaved: bool, dtype: type) -> None:
        """pairs (H, 2, w/2): the scaled query, first and second elements; turns (b, w/2) in [-pi, pi]."""
        cosines, sines = np.cos(turns.astype(dtype))[:, None], np.sin(turns.astype(dtype))[:, None]
        first, second = pairs.astype(dtype).transpose(1, 0, 2)
        self._turned = np.stack(
            [first * cosines - second * sines, first * sines + second * cosines], axis=3 if interleaved else 2
        )
        self._heads = len(pairs)
        self._length = float(np.sqrt((pairs * pairs).sum(axis=(1, 2))).max())

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (b, d) into out (H, b)."""
        split = by_heads(keys, self._heads)
        np.add.reduce(split * self._turned.reshape(split.shape), axis=2, out=out.T)

    def rounding(self, keys: Floats) -> Floats:
        """As of a dot product (Higham, ASNA section 3.1), with that of an angle, its sine and cosine."""
        norms = np.sqrt(np.einsum("bd,bd->b", keys, keys) + np.float32(keys.shape[1] * TINY32))
        terms = keys.shape[1] // self._heads + 16
        return np.asarray(norms * np.float32(np.clip(terms * EPS32 * self._length, TINY32, 3e38)))


def rotary_scorer(
    query: F64, temperature: float, options: Options, dtype: type
) -> Callable[[F64], RotaryScorer]:
    """Query slices (H, d/H) -> ages (b,) -> scorer."""
    heads, width = query.shape
    if width % 2:
        raise InvalidShape(
            f"rope turns pairs of elements, and a head of {width} dimensions has no pairs",
            "Take vectors, or a number of heads, that give each head an even number of dimensions.",
        )
    interleaved = options["layout"] == "interleaved"
    scaled = query / (math.sqrt(width) * temperature)
    pairs = scaled.reshape(heads, -1, 2).transpose(0, 2, 1) if interleaved else scaled.reshape(heads, 2, -1)
    speeds = float(options["base"]) ** (-2 * np.arange(width // 2) / width)

    def of_ages(ages: F64) -> RotaryScorer:
        angles = ages[:, None] * speeds
        # whole turns are taken off before float32 loses the rest
        turns = angles - 2 * np.pi * np.rint(angles / (2 * np.pi))
        return RotaryScorer(pairs, turns, interleaved, dtype)

    return of_ages


MECHANISM = Mechanism(
    name="rope",
    aliases=("rotary", "graph_rope", "GraphRoPE"),
    family="positional",
    feature="attention",
    complexity="O(n d)",
    memory="O(n d)",
    best_for="relative order or hop distance",
    formula="a = softmax_j(<R(p_q) q, R(p_j) k_j> / (sqrt(d) temperature)), R turns pair i by p base^(-2i/d)",
    reference="Su et al. 2021, RoFormer",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option("base", float, 10000.0, Interval(1, low_open=True), "How slow the slowest pair turns."),
        Option(
            "layout",
            str,
            "interleaved",
            ("interleaved", "half"),
            "Which elements are pairs: neighbours, or those half a head apart, as in Llama.",
        ),
    ),
    scope="P+pos",
    scorer_of_ages=rotary_scorer,
    ordered=always,
    training=LAYER,
)
