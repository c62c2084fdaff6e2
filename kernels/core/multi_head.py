"""Multi-head attention with identity projections (Vaswani et al. 2017, section 3.2.2)."""

from __future__ import annotations

from ..mechanism import Mechanism
from ..projections import LAYER
from .dot import DOT_FEATURES, dot_scorer

MECHANISM = Mechanism(
    name="multi_head",
    aliases=("multihead", "mha"),
    family="core",
    feature="attention",
    complexity="O(n d)",
    memory="O(n H)",
    best_for="several subspaces at once",
    formula="a = mean_h softmax_j(<q^h, k_j^h> / (sqrt(d/H) temperature)), x^h the h-th of H slices of x",
    reference="Vaswani et al. 2017, Attention Is All You Need",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    multi_head_family=True,
    scorer=dot_scorer,
    features=DOT_FEATURES,
    training=LAYER,
)
