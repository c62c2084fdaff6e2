"""Cross-attention (Bahdanau et al. 2015; Vaswani et al. 2017): queries of one set over keys of another."""

from __future__ import annotations

from ..mechanism import Mechanism
from ..projections import LAYER
from .dot import DOT_FEATURES, dot_scorer

MECHANISM = Mechanism(
    name="cross",
    aliases=("cross_attention",),
    family="core",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="joining two tables",
    formula="a_ij = softmax_j(<q_i, k_j> / (sqrt(d) temperature)), the numbers of scaled_dot",
    reference="Bahdanau et al. 2015; Vaswani et al. 2017, Attention Is All You Need",
    scorer=dot_scorer,
    features=DOT_FEATURES,
    training=LAYER,
)
