"""Attention within the query's community (cut clustering: Flake, Tarjan and Tsioutsiouliklis 2004).

Query and keys are nodes, joined to those most alike to them with the capacity max(0, cos), and every key
drains to a sink with the capacity alpha. The keys seen are those on the query's side of the minimum cut,
the smallest of several: they grow as alpha falls (Gallo, Grigoriadis and Tarjan 1989).

Capacities are whole numbers for the flow: cosines times a scale of at most 2^20, and less where the flow
could exceed 2^31. A cut of c edges is off by at most c / (2 scale).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import F32, F64, Checkpoint, spans
from ..core.dot import dot_scorer
from ..errors import InvalidOption
from ..fits import LastFit
from ..limits import MAX_ROWS, check_rows, most_rows
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..topology.neighbours import NEAREST_KEYS, Neighbours, unit_rows
from ..weights import Bools
from .maximum_flow import I32, MOST_ARCS, Flow, Links, filled, linked

_FINEST = 2**20
_MOST_FLOW = 2**31 - 1


class Graph(NamedTuple):
    """The keys' own part of the network."""

    neighbours: Neighbours
    links: Links


def _graph(keys: F32, knn: int, checkpoint: Checkpoint) -> Graph:
    neighbours = NEAREST_KEYS.of(keys, knn, checkpoint=checkpoint)
    return Graph(neighbours, linked(neighbours.rows, checkpoint))


GRAPH = LastFit(_graph)


def in_community(problem: Problem) -> Bools:
    """Which keys (n,) are on the query's side; whole vectors are compared."""
    options, n = problem.options, len(problem.keys)
    check_rows(MECHANISM.name, problem.keys, most_rows(options))
    knn = int(options["knn"])
    if 2 * n * min(knn, n - 1) > MOST_ARCS:
        raise InvalidOption(f"knn is {knn} over {n} rows, which are too many edges", "Take fewer of either.")
    graph = GRAPH.of(problem.keyset, knn, checkpoint=problem.checkpoint)
    cosines = unit_rows(problem.keys) @ unit_rows(problem.query.reshape(1, -1))[0]
    network = Network(graph, cosines, knn, problem.checkpoint)
    if options["alpha"] is not None:
        alpha = float(options["alpha"])
        found = network.flow.raised(round(min(alpha * network.scale, _MOST_FLOW)), problem.checkpoint)
    else:
        units, found = _largest(network, min(int(options["min_rows"]), n), problem.checkpoint)
        alpha = units / network.scale
    problem.notes.update(Alpha=alpha, Community=int(found.side.sum()))
    return found.side


def _largest(network: Network, wanted: int, checkpoint: Checkpoint) -> tuple[int, Flow]:
    """The largest capacity of the drains whose community has so many keys, and the flow then."""
    low, high = 0, network.outflow + 1
    best = network.flow.raised(0, checkpoint)
    while high - low > 1:
        middle = (low + high) // 2
        found = best.raised(middle - low, checkpoint)
        if found.side.sum() >= wanted:
            low, best = middle, found
        else:
            high = middle
    return low, best


class Network:
    """The graph of n keys with the query as the source, whole capacities, and drains of none.

    A key that is nearer to the query than to the last of its knn neighbours has the query in that one's
    place.
    """

    def __init__(self, graph: Graph, cosines: F64, knn: int, checkpoint: Checkpoint) -> None:
        """cosines (n,) of the keys and the query."""
        known = graph.neighbours.cosines
        full = known.shape[1] == knn
        joined = cosines > known[:, -1] if full else np.ones(len(cosines), bool)
        to_query = joined.copy()
        to_query[np.argsort(-cosines, kind="stable")[:knn]] = True
        to_query &= cosines > 0
        self.scale = int(min(_FINEST, _MOST_FLOW // (2 * (cosines[to_query].sum() + 1))))
        amounts = np.zeros((2, len(cosines)), np.int64)
        amounts[0, to_query] = np.rint(cosines[to_query] * self.scale)
        self.outflow = int(amounts.sum())
        capacities = _whole(known, self.scale, checkpoint)
        if full:
            capacities[joined, -1] = -1
        self.flow = Flow(graph.links, filled(graph.links, capacities, checkpoint), amounts)


def _whole(cosines: F64, scale: int, checkpoint: Checkpoint) -> I32:
    """The capacities (n, k) of edges between nodes of these cosines (n, k)."""
    capacities = np.empty(cosines.shape, np.int32)
    for span in spans(len(cosines), 8 * cosines.shape[1]):
        capacities[span] = np.rint(np.maximum(cosines[span], 0) * scale)
        checkpoint()
    return capacities


MECHANISM = Mechanism(
    name="mincut_gated",
    aliases=("mincut", "MinCutGatedAttention"),
    family="graph",
    feature="graph",
    complexity="O(n^2 d) to fit, then T maximum flows on O(n knn) edges",
    memory="O(n knn)",
    best_for="restrict to the query's community",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over the query's side of a minimum cut",
    reference="Flake, Tarjan and Tsioutsiouliklis 2004, Graph Clustering and Minimum Cut Trees",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("knn", int, 8, Interval(1, 1024), "Nodes most alike that a node is joined to."),
        Option(
            "min_rows",
            int,
            10,
            Interval(1, 2**31 - 1),
            "Keys that the community has at least, without alpha.",
        ),
        Option(
            "alpha",
            float,
            None,
            Interval(0),
            "Capacity of the drains; the largest that leaves min_rows keys if left out.",
        ),
        MAX_ROWS,
    ),
    weight_kind="D0",
    scope="SET",
    scorer=dot_scorer,
    visible=in_community,
)
