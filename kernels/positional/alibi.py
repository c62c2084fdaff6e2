"""Attention with linear biases (Press et al. 2022): each step of distance takes its share off the logit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import EPS32, F64, Floats
from ..core.dot import DotScorer, dot_scorer
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option
from ..problem import Options, Problem
from ..projections import LAYER
from ..weights import Bools


class BiasedScorer:
    """Logits of dot products less bias (H, b) for each key of a block."""

    def __init__(self, dots: DotScorer, bias: F64) -> None:
        self._dots, self._bias = dots, bias

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (b, d) into out (H, b)."""
        self._dots.logits(keys, out)
        out -= self._bias.astype(out.dtype)

    def rounding(self, keys: Floats) -> Floats:
        """The bias is rounded once, and so is the difference."""
        largest = self._bias.max(axis=0).astype(np.float32)
        bound: Floats = (1 + 2 * EPS32) * self._dots.rounding(keys) + np.float32(4 * EPS32) * (largest + 1)
        return bound


def biased_scorer(
    query: F64, temperature: float, options: Options, dtype: type
) -> Callable[[F64], BiasedScorer]:
    """Query slices (H, d/H) -> ages (b,) -> scorer."""
    dots = dot_scorer(query, temperature, options, dtype)
    slopes = slopes_of(len(query), options)[:, None] / temperature
    return lambda ages: BiasedScorer(dots, slopes * np.abs(ages))


def slopes_of(heads: int, options: Options) -> F64:
    """The slope (H,) of each head: the one given, else 2^(-8h/H) for h = 1 .. H."""
    given = options["slope"]
    return np.exp2(-8 * np.arange(1, heads + 1) / heads) if given is None else np.full(heads, float(given))


def not_after_if_causal(problem: Problem) -> Bools:
    """Which keys (n,) stand at the query's position or before it; all, unless causal."""
    return np.asarray((problem.ages >= 0) | (not problem.options["causal"]))


MECHANISM = Mechanism(
    name="alibi",
    aliases=("linear_bias", "recency_bias"),
    family="positional",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="age-penalised ranking",
    formula="a = softmax_j((<q, k_j> / sqrt(d) - slope |p_q - p_j|) / temperature) over p_j <= p_q",
    reference="Press et al. 2022, Train Short, Test Long",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option(
            "slope",
            float,
            None,
            Interval(0),
            "What each unit of age takes off the logit; 2^(-8h/H) for head h of H if left out.",
        ),
        Option("causal", bool, True, None, "Whether keys after the query are hidden."),
    ),
    scope="P+pos",
    scorer_of_ages=biased_scorer,
    ordered=always,
    per_step=("slope",),
    visible=not_after_if_causal,
    training=LAYER,
)
