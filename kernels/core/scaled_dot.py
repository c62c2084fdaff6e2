"""Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1)."""

from __future__ import annotations

from ..mechanism import Mechanism
from ..options import Interval, Option
from ..projections import LAYER
from .dot import DOT_FEATURES, dot_scorer

MECHANISM = Mechanism(
    name="scaled_dot",
    aliases=("scaleddot", "scaled_dot_product", "dot", "DotProductAttention", "self"),
    family="core",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="the baseline; small sets",
    formula="a = softmax_j(scale <q, k_j> / temperature), scale = 1/sqrt(d)",
    reference="Vaswani et al. 2017, Attention Is All You Need",
    parameters=(
        Option("scale", float, None, Interval(0, low_open=True), "Factor of <q, k>; 1/sqrt(d) if left out."),
    ),
    scorer=dot_scorer,
    features=DOT_FEATURES,
    training=LAYER,
)
