"""A window, and keys that all see (Beltagy et al. 2020, Longformer).

The projections of its own that Longformer has for global rows are left out: there are no weights.
"""

from __future__ import annotations

import numpy as np

from ..core.dot import dot_scorer
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option, column
from ..problem import Problem
from ..projections import LAYER
from ..weights import Bools


def near_or_global(problem: Problem) -> Bools:
    """Which keys (n,) are within half a window, or seen by all; a query that is a global key sees all."""
    positions, options = problem.order, problem.options
    shared = _global(problem)
    if positions.query_row is not None and shared[positions.query_row]:
        return np.ones(len(shared), bool)
    near = np.abs(positions.steps) <= int(options["window"]) // 2
    return np.asarray(near | shared)


def _global(problem: Problem) -> Bools:
    """Which keys (n,) all see: those that the column marks, else the first in the order."""
    marked = problem.columns.get("global_column")
    if marked is not None:
        return np.asarray(marked != 0)
    return np.asarray(problem.order.ranks < int(problem.options["global_tokens"]))


MECHANISM = Mechanism(
    name="local_global",
    aliases=("longformer",),
    family="sparse",
    feature="attention",
    complexity="O((w + g) d)",
    memory="O(w + g)",
    best_for="long documents with anchors",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over |i - j| <= w/2 and the global keys",
    reference="Beltagy et al. 2020, Longformer",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option("window", int, 256, Interval(1, 2**31 - 1), "Keys around the query."),
        Option("global_tokens", int, 1, Interval(0, 2**31 - 1), "First keys of the order that all see."),
        column("global_column", "Column that marks the keys that all see, in place of the first ones."),
    ),
    scope="P+pos",
    scorer=dot_scorer,
    ordered=always,
    visible=near_or_global,
    training=LAYER,
)
