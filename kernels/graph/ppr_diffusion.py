"""Personalised PageRank (Page et al. 1999; Gasteiger et al. 2019; Wang et al. 2021, MAGNA)."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import F32, F64, Checkpoint, spans
from ..edges import Edges, GraphProblem, Reached
from ..errors import InvalidOption
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from .attributes import EDGE_COLUMN, edge_column, weights_of
from .neighbours import shortest_hops, softmax_by_centre

_MOST_ROUNDS = 100_000
"""Rounds that the iteration may need at most."""


def diffuse(problem: GraphProblem) -> Reached:
    """The share of visits that each node gets from a walk that returns to the start now and then.

    Nodes that the iteration ends without reaching have score 0 and logit NaN.
    """
    edges, logits = _logits(problem)
    n, start, options = len(problem.features), problem.start, problem.options
    hops = shortest_hops(n, edges, start, problem.checkpoint)
    steps = softmax_by_centre(logits[:, None] / problem.temperature, edges.centres)[:, 0]
    alpha, tol = float(options["alpha"]), float(options["tol"])
    visits = stationary(n, edges, steps, start, alpha, tol, problem.checkpoint)
    nodes = np.flatnonzero(hops >= 0)
    score = visits[nodes]
    logit = np.log(score, out=np.full(len(score), np.nan), where=score > 0)
    return Reached(nodes, score, logit, score[:, None], hops[nodes])


def _logits(problem: GraphProblem) -> tuple[Edges, F64]:
    """The edges that may be walked and the logarithms (E,) of their weights; an edge of weight 0 is none."""
    edges = problem.edges
    if edges.attributes is None:
        return edges, _alikeness(problem.features, edges, problem.checkpoint)
    weights = weights_of(edges, zero=True)
    return edges.take(weights > 0), np.log(weights[weights > 0])


def _alikeness(features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
    """<x_i, x_j> / sqrt(d) of the ends of each edge, (E,)."""
    out = np.empty(len(edges))
    for span in spans(len(edges), 8 * features.shape[1]):
        centres = features[edges.centres[span]].astype(np.float64)
        np.einsum("ed,ed->e", centres, features[edges.neighbours[span]], out=out[span])
        checkpoint()
    out /= math.sqrt(features.shape[1])
    return out


def stationary(
    n: int, edges: Edges, steps: F64, start: int, alpha: float, tol: float, checkpoint: Checkpoint
) -> F64:
    """The solution a (n,) of a = (1 - alpha) P^T a + alpha r by iteration, until it changes by less than tol.

    steps (E,): the probability P_ij of each edge; r is 1 at the start. A node without edges to go on sends
    all to the start. Each round shrinks the change by 1 - alpha at least, which says after how many it ends:
    rounding alone may go round in circles.
    """
    stuck = np.bincount(edges.centres, minlength=n) == 0
    visits = np.zeros(n)
    visits[start] = 1.0
    for _ in range(_rounds(alpha, tol)):
        moved = np.bincount(edges.neighbours, steps * visits[edges.centres], n).astype(np.float64)
        moved[start] += visits[stuck].sum()
        moved *= 1 - alpha
        moved[start] += alpha
        change = float(np.abs(moved - visits).sum())
        visits = moved
        checkpoint()
        if change < tol:
            break
    return visits


def _rounds(alpha: float, tol: float) -> int:
    """After how many rounds the change, which is at most 2 at first, is less than tol."""
    rounds = math.log(tol / 4) / math.log1p(-alpha) if alpha < 1 else 1.0
    if rounds > _MOST_ROUNDS:
        raise InvalidOption(
            f"alpha is {alpha:g} and tol {tol:g}, which may take {rounds:.3g} rounds, at most {_MOST_ROUNDS} "
            "are allowed",
            "Raise alpha or tol.",
        )
    return math.ceil(rounds)


def _weights_of(options: Options) -> str:
    """What the chance to take an edge is made of."""
    column = options[EDGE_COLUMN]
    return f"{column} of the edges" if column else "exp(<x_i, x_j> / sqrt(d))"


MECHANISM = Mechanism(
    name="ppr_diffusion",
    aliases=("ppr", "personalized_pagerank", "magna"),
    family="graph",
    feature="graph",
    complexity="O(T E + n d) over the whole component",
    memory="O(n d + E)",
    best_for="multi-hop relevance",
    formula="a = alpha (I - (1 - alpha) P^T)^-1 r, P_ij = softmax_j(ln w_ij / temperature), "
    "w_ij = exp(<x_i, x_j> / sqrt(d)) unless given; r is 1 at the query node",
    reference="Page et al. 1999; Gasteiger et al. 2019; Wang et al. 2021, MAGNA",
    operations=("gat_search",),
    parameters=(
        Option(
            "alpha", float, 0.15, Interval(0, 1, low_open=True), "Chance to return to the node, each step."
        ),
        Option("tol", float, 1e-8, Interval(1e-14, 1), "Change of all scores together below which it ends."),
        edge_column("Column of the edges' weights; exp(<x_i, x_j> / sqrt(d)) without it."),
    ),
    scope="GRAPH",
    weigh_graph=diffuse,
    weights=_weights_of,
    whole=True,
)
