"""Causal attention (Vaswani et al. 2017, section 3.2.3): scaled dot products, no key after the query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..problem import Problem
from ..projections import LAYER
from .dot import dot_scorer


def not_after(problem: Problem) -> npt.NDArray[np.bool_]:
    """Which of the keys (n,) stand at the query's position or before it."""
    return problem.order.values <= problem.order.query_value


MECHANISM = Mechanism(
    name="causal",
    aliases=("masked", "autoregressive"),
    family="core",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="ordered logs, no look-ahead",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over the keys with p_j <= p_q",
    reference="Vaswani et al. 2017, Attention Is All You Need",
    operations=ORDERED_OPERATIONS,
    scope="P+pos",
    scorer=dot_scorer,
    ordered=always,
    visible=not_after,
    training=LAYER,
)
