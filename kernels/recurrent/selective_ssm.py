"""A selective state space model as attention (Gu and Dao 2023, Mamba; Dao and Gu 2024; Ali et al. 2024).

Without weights this is the SSD form of Mamba-2 with the query for C, the keys for B, the values for x, and a
scalar decay exp(-softplus(dt)) for each row. The input is not multiplied by the step. With the weights of a
block of Mamba it is that block: see mamba.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from ..arrays import F64
from ..core.dot import DotScorer
from ..logits import exact_logits
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option, column
from ..problem import Options, Problem
from ..trained import Tensors, Training, without
from ..weights import Weights, scattered, settled
from . import mamba


def weigh(problem: Problem) -> Weights:
    """The weights <q, k_j> * the decays of all rows after j up to the query; they are the logits too."""
    rows = np.flatnonzero(problem.order.steps >= 0)
    dots = exact_logits(MECHANISM, problem, rows)
    faded = dots * np.exp(-_passed(problem)[rows])
    return scattered(settled(faded, faded), rows, len(problem.keys))


def _passed(problem: Problem) -> F64:
    """The sum (n,) of softplus(dt) over the rows after each key up to the query; 0 for later keys."""
    dt = problem.columns.get("dt_column", np.full(len(problem.keys), float(problem.options["dt"])))
    by_rank = np.argsort(problem.order.ranks)
    before = by_rank[: problem.order.query_rank + 1]
    passed = np.zeros(len(problem.keys))
    # backwards from the query: a difference of sums from the start would lose small steps to a large one
    passed[before[-2::-1]] = np.cumsum(np.logaddexp(0, dt)[before[:0:-1]])
    return passed


def _products(query: F64, temperature: float, options: Options, dtype: type) -> DotScorer:
    return DotScorer(query, 1.0, dtype)


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """selective_ssm as a block of Mamba, whose channels take the place of heads."""
    block = mamba.Block(tensors)
    return replace(
        mechanism,
        parameters=without(mechanism, "dt_column", "dt"),
        weigh=partial(mamba.weigh, block=block),
        own_outputs=partial(mamba.outputs, block),
        whole=True,
    )


MECHANISM = Mechanism(
    name="selective_ssm",
    aliases=("mamba", "ssm", "s6", "ssd"),
    family="recurrent",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="streams, unbounded context",
    formula="a_j = <q, k_j> prod_{j < t <= q} exp(-softplus(dt_t)), rows t by rank, not normalised",
    reference="Gu and Dao 2023, Mamba; Dao and Gu 2024; Ali et al. 2024, The Hidden Attention of Mamba",
    operations=ORDERED_OPERATIONS,
    parameters=(
        column("dt_column", "Column of the steps dt of the rows: the larger, the faster the past fades."),
        Option(
            "dt",
            float,
            -math.log(31),
            Interval(-1e6, 1e6),
            "Step of every row where no column is named; by default 1/32 of the past fades with each row.",
        ),
    ),
    weight_kind="S",
    scope="SET",
    temperature=None,
    scorer=_products,
    ordered=always,
    weigh=weigh,
    training=Training(mamba.REQUIRED, mamba.OPTIONAL, _bind),
)
