"""Sliding-window attention (Beltagy et al. 2020, Longformer; Jiang et al. 2023, Mistral)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.dot import dot_scorer
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option
from ..problem import Problem
from ..projections import LAYER


def within_window(problem: Problem) -> npt.NDArray[np.bool_]:
    """Which keys (n,) are among the last `window_size` up to the query, or half of it on either side."""
    steps, size = problem.order.steps, int(problem.options["window_size"])
    if problem.options["causal"]:
        return (steps >= 0) & (steps < size)
    return np.asarray(np.abs(steps) <= size // 2)


MECHANISM = Mechanism(
    name="sliding_window",
    aliases=("sliding", "SlidingWindow", "local", "window"),
    family="sparse",
    feature="attention",
    complexity="O(w d)",
    memory="O(w)",
    best_for="recent context, streaming",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over 0 <= i - j < w, i and j ranks",
    reference="Beltagy et al. 2020, Longformer; Jiang et al. 2023, Mistral 7B",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option("window_size", int, 256, Interval(1, 2**31 - 1), "Keys in the window."),
        Option(
            "causal",
            bool,
            True,
            None,
            "Whether the window ends at the query; false puts the query in its middle.",
        ),
    ),
    scope="P+pos",
    scorer=dot_scorer,
    ordered=always,
    visible=within_window,
    training=LAYER,
)
