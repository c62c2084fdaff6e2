"""Attention by Poincare distance (Nickel and Kiela 2017; Ganea et al. 2018): points of the ball."""

from __future__ import annotations

import math

from ..arrays import EPS32, F32, F64, TINY32, Checkpoint, Floats, by_heads, spans
from ..mechanism import Mechanism
from ..options import Option
from ..problem import Options
from .centroid import gyromidpoints, sums
from .space import CLIPPED, CURVATURE, EDGE, ball_distance, curvature_of, double, in_ball, norms, projected


class PoincareScorer:
    """Logits -distance / temperature, float64 whatever the dtype of the keys."""

    def __init__(self, query: F64, temperature: float, options: Options) -> None:
        """query (H, d/H)."""
        self._c, self._temperature = curvature_of(options), temperature
        self._points = projected if options["project"] else in_ball
        self._query = projected(query, self._c) if options["project"] else in_ball(query, self._c, "query")

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        split = double(by_heads(keys, len(self._query)))
        points = self._points(split, self._c)
        out[:] = (ball_distance(points, self._query, self._c) / -self._temperature).T

    def rounding(self, keys: Floats) -> float:
        """Logits are rounded once; no two points are further apart than those at the edge."""
        farthest = 4 * math.atanh(EDGE) / math.sqrt(self._c)
        return 2 * EPS32 * farthest / self._temperature + TINY32


def poincare_scorer(query: F64, temperature: float, options: Options, dtype: type) -> PoincareScorer:
    """The scorer of query slices (H, d/H)."""
    return PoincareScorer(query, temperature, options)


def ball_means(weights: Floats, values: Floats, options: Options, checkpoint: Checkpoint) -> Floats:
    """Gyromidpoints (H, m, w) of values (H, n, w) under weights (H, m, n), or plain sums if asked for."""
    if options["aggregate"] == "euclidean":
        return sums(weights, values, lambda some: some, checkpoint)
    c = curvature_of(options)

    def points(some: F64) -> F64:
        return projected(some, c) if options["project"] else in_ball(some, c, "a value")

    return gyromidpoints(weights, values, c, points, checkpoint)


def count_projected(vectors: F32, heads: int, options: Options) -> str | None:
    """What a user is told of the vectors (n, d) that the option `project` moves."""
    if not options["project"]:
        return None
    root, moved = math.sqrt(curvature_of(options)), 0
    for span in spans(len(vectors), 8 * vectors.shape[1]):
        lengths = root * norms(double(by_heads(vectors[span], heads)))
        moved += int((lengths > CLIPPED).any(axis=1).sum())
    return (
        f"{moved} of {len(vectors)} vectors lie outside of the ball and were projected onto it"
        if moved
        else None
    )


MECHANISM = Mechanism(
    name="poincare",
    aliases=("poincaré", "poincare_ball"),
    family="hyperbolic",
    feature="hyperbolic",
    complexity="O(n d)",
    memory="O(n)",
    best_for="Poincare embeddings",
    formula="a = softmax_j(-d(q, k_j) / temperature), "
    "d(x, y) = arcosh(1 + 2c |x-y|^2 / ((1 - c|x|^2)(1 - c|y|^2))) / sqrt(c)",
    reference="Nickel and Kiela 2017; Ganea et al. 2018, Hyperbolic Neural Networks",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        CURVATURE,
        Option("project", bool, False, None, "Whether points outside of the ball are drawn to its edge."),
        Option(
            "aggregate",
            str,
            "gyromidpoint",
            ("gyromidpoint", "euclidean"),
            "How an output is made of the values; plain sums are for values that are no points of the ball.",
        ),
    ),
    scorer=poincare_scorer,
    aggregate=ball_means,
    remark=count_projected,
)
