"""Attention within the query's community (cut clustering: Flake, Tarjan and Tsioutsiouliklis 2004).

Query and keys are nodes, joined to those most alike to them with the capacity max(0, cos), and every key
drains to a sink with the capacity alpha. The keys seen are those on the query's side of the minimum cut,
the smallest of several: they grow as alpha falls (Gallo, Grigoriadis and Tarjan 1989).

Capacities are whole numbers for the flow: cosines times a scale of at most 2^20, and less where the flow
could exceed 2^31. A cut of c edges is off by at most c / (2 scale).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import F64, Rows
from ..core.dot import dot_scorer
from ..limits import MAX_ROWS, check_rows, most_rows
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..topology.neighbours import NEAREST_KEYS, Neighbours, unit_rows
from ..weights import Bools

_FINEST = 2**20
_MOST_FLOW = 2**31 - 1


def in_community(problem: Problem) -> Bools:
    """Which keys (n,) are on the query's side; whole vectors are compared."""
    options, n = problem.options, len(problem.keys)
    check_rows(MECHANISM.name, problem.keys, most_rows(options))
    knn = int(options["knn"])
    neighbours = NEAREST_KEYS.of(problem.keyset, knn, checkpoint=problem.checkpoint)
    cosines = unit_rows(problem.keys) @ unit_rows(problem.query.reshape(1, -1))[0]
    network = Network(neighbours, cosines, knn)
    if options["alpha"] is not None:
        alpha = float(options["alpha"])
        found = network.community(round(min(alpha * network.scale, _MOST_FLOW)))
    else:
        units, found = _largest(network, min(int(options["min_rows"]), n), problem)
        alpha = units / network.scale
    problem.notes.update(Alpha=alpha, Community=int(found.sum()))
    return found


def _largest(network: Network, wanted: int, problem: Problem) -> tuple[int, Bools]:
    """The largest capacity of the drains whose community has so many keys, and that community."""
    low, high = 0, network.outflow + 1
    best = network.community(0)
    while high - low > 1:
        middle = (low + high) // 2
        found = network.community(middle)
        problem.checkpoint()
        if found.sum() >= wanted:
            low, best = middle, found
        else:
            high = middle
    return low, best


class Network:
    """The graph of n keys, the query (node n) and the sink (node n + 1), with whole capacities."""

    def __init__(self, neighbours: Neighbours, cosines: F64, knn: int) -> None:
        """neighbours of each key; cosines (n,) of the keys and the query."""
        ends, alike = _edges(neighbours, cosines, knn)
        self._n = len(cosines)
        of_query = alike[(ends == self._n).any(axis=0)].sum()
        self.scale = int(min(_FINEST, _MOST_FLOW // (2 * (of_query + 1))))
        self._ends, self._capacities = ends, np.rint(alike * self.scale).astype(np.int64)
        self.outflow = int(self._capacities[(ends == self._n).any(axis=0)].sum())

    def community(self, drain: int) -> Bools:
        """Which keys (n,) are on the query's side where every drain has this capacity."""
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        capacities = self._matrix(drain)
        flow = maximum_flow(capacities, self._n, self._n + 1).flow
        residual = capacities - flow
        residual.data = (residual.data > 0).astype(np.int32)
        residual.eliminate_zeros()
        reached = breadth_first_order(residual, self._n, return_predecessors=False)
        found = np.zeros(self._n + 2, bool)
        found[reached] = True
        return found[: self._n]

    def cut_value(self, side: Bools, drain: int) -> int:
        """What is cut where these keys (n,) are on the query's side."""
        inside = np.append(side, True)
        across = inside[self._ends[0]] != inside[self._ends[1]]
        return int(self._capacities[across].sum()) + drain * int(side.sum())

    def _matrix(self, drain: int) -> Any:
        from scipy.sparse import csr_array

        n, (left, right) = self._n, self._ends
        rows = np.concatenate([left, right, np.arange(n)])
        columns = np.concatenate([right, left, np.full(n, n + 1)])
        data = np.concatenate([self._capacities, self._capacities, np.full(n, drain)])
        return csr_array((data.astype(np.int32), (rows, columns)), shape=(n + 2, n + 2))


def _edges(neighbours: Neighbours, cosines: F64, knn: int) -> tuple[Rows, F64]:
    """Edges (2, E), each once, with the cosine of their ends, above 0.

    A key that is nearer to the query than to the last of its knn neighbours has the query in that one's
    place.
    """
    n, known = neighbours.rows.shape
    kept = np.ones((n, known), bool)
    joined = np.ones(n, bool)
    if known and known == knn:
        joined = cosines > neighbours.cosines[:, -1]
        kept[joined, -1] = False
    nearest = np.argsort(-cosines, kind="stable")[:knn]
    to_query = np.union1d(nearest, np.flatnonzero(joined))
    left = np.concatenate([np.repeat(np.arange(n), known)[kept.ravel()], np.full(len(to_query), n)])
    right = np.concatenate([neighbours.rows[kept], to_query])
    alike = np.concatenate([neighbours.cosines[kept], cosines[to_query]])
    pairs = np.stack([np.minimum(left, right), np.maximum(left, right)])
    _, once = np.unique(pairs[0] * (n + 1) + pairs[1], return_index=True)
    once = once[alike[once] > 0]
    return pairs[:, once], alike[once]


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
