"""Attention to the k best keys alone (Zhao et al. 2019; Gupta et al. 2021)."""

from __future__ import annotations

from ..core.dot import dot_scorer
from ..heaviest import heaviest, mask
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..projections import LAYER
from ..weights import Bools


def among_best(problem: Problem) -> Bools:
    """Which keys (n,) are among the k of the largest logit, the mean over the heads; ties by id."""
    return mask(heaviest(MECHANISM, problem, int(problem.options["k"])), len(problem.keys))


MECHANISM = Mechanism(
    name="top_k",
    aliases=("topk", "explicit_sparse"),
    family="sparse",
    feature="attention",
    complexity="O(n d + n log k)",
    memory="O(k)",
    best_for="k-NN re-ranking",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over the k keys of the largest logit",
    reference="Zhao et al. 2019, Explicit Sparse Transformer; Gupta et al. 2021",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("k", int, 8, Interval(1, 2**31 - 1), "Keys that share the weight; all where there are fewer."),
    ),
    weight_kind="D0",
    scorer=dot_scorer,
    visible=among_best,
    training=LAYER,
)
