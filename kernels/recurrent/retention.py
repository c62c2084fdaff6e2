"""Retention (Sun et al. 2023, RetNet): dot products that fade with age, neither normalised nor positive.

The rotation of queries and keys (xPos) and the group norm of the outputs are left out.
"""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from ..core.dot import dot_scorer
from ..logits import exact_logits
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option
from ..problem import Problem
from ..projections import LAYER
from ..weights import Weights, scattered, settled


def weigh(problem: Problem) -> Weights:
    """The weights <q, k_j> / sqrt(d) * gamma^age of keys not after the query; they are the logits too."""
    ages = problem.ages
    rows = np.flatnonzero(ages >= 0)
    dots = exact_logits(MECHANISM, problem, rows)
    faded = dots * gammas(len(problem.query), problem.options["gamma"])[:, None] ** ages[rows]
    return scattered(settled(faded, faded), rows, len(problem.keys))


def gammas(heads: int, given: float | None) -> F64:
    """What each head (H,) keeps per unit of age: the one given, else 1 - 2^(-5-h) for h = 0 .. H-1."""
    return 1 - np.exp2(-5.0 - np.arange(heads)) if given is None else np.full(heads, float(given))


MECHANISM = Mechanism(
    name="retention",
    aliases=("retnet", "decayed_linear"),
    family="recurrent",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="recency with O(1) updates",
    formula="a_j = <q, k_j> / sqrt(d) gamma^(p_q - p_j) over p_j <= p_q, not normalised",
    reference="Sun et al. 2023, Retentive Network",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option(
            "gamma",
            float,
            None,
            Interval(0, 1, low_open=True),
            "What is left after each unit of age; 1 - 2^(-5-h) for head h, from 0, if left out.",
        ),
    ),
    weight_kind="S",
    scope="P+pos",
    temperature=None,
    scorer=dot_scorer,
    ordered=always,
    per_step=("gamma",),
    weigh=weigh,
    training=LAYER,
)
