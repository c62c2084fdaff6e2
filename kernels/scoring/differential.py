"""Differential attention (Ye et al. 2024): one softmax less a part of another, which cancels what they share.

The norm of each head's output that the paper adds after it is left out.
"""

from __future__ import annotations

from dataclasses import replace

from ..core.dot import dot_scorer
from ..errors import InvalidShape
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..projections import LAYER
from ..softmax import plain_softmax
from ..weights import Weights, settled


def weigh(problem: Problem) -> Weights:
    """Signed weights from the two halves of each head; the logit shown is that of the first half."""
    heads, width = problem.query.shape
    if width % 2:
        raise InvalidShape(
            f"differential halves each head, and a head of {width} dimensions has no halves",
            "Take vectors, or a number of heads, that give each head an even number of dimensions.",
        )
    halves = replace(problem, query=problem.query.reshape(2 * heads, width // 2))
    logits = exact_logits(MECHANISM, halves)
    weights, _ = plain_softmax(logits)
    return settled(weights[::2] - float(problem.options["lambda"]) * weights[1::2], logits[::2])


MECHANISM = Mechanism(
    name="differential",
    aliases=("diff", "diff_transformer"),
    family="scoring",
    feature="attention",
    complexity="O(n d)",
    memory="O(n)",
    best_for="cancelling common-mode noise",
    formula="a = softmax(s1) - lambda softmax(s2), s of either half: <q, k> / (sqrt(d/2) temperature)",
    reference="Ye et al. 2024, Differential Transformer",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("lambda", float, 0.2, Interval(0, 1, high_open=True), "Share of the second softmax."),
    ),
    weight_kind="S",
    scope="SET",
    scorer=dot_scorer,
    weigh=weigh,
    training=LAYER,
)
