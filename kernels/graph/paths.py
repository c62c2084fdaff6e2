"""Attention over several hops: of each node the best path from one start, by the product of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import F64, Rows
from .neighbours import softmax_by_centre

START = 0
"""Index of the node that the paths start from."""


@dataclass
class Reached:
    """Nodes that the walk has reached, best first.

    node (r,): index. score (r,): product of the mean attention along the best path. logit (r,): sum of the
    mean logits along it. head_scores (r, H): the product for each head. hop (r,): that of the first path
    there, 0 for the start itself.
    """

    node: Rows
    score: F64
    logit: F64
    head_scores: F64
    hop: Rows


class Walk:
    """Paths from the node START, one hop longer with each `step`."""

    def __init__(self, heads: int) -> None:
        self._centres, self._neighbours = np.empty(0, np.intp), np.empty(0, np.intp)
        self._logits, self._weights = np.empty((0, heads)), np.empty((0, heads))
        self._score, self._logit, self._hop = np.ones(1), np.zeros(1), np.full(1, -1)
        self._head_scores = np.ones((1, heads))
        self._expanded = np.zeros(1, bool)
        self._improved = np.ones(1, bool)
        self._hops = 0

    @property
    def to_expand(self) -> Rows:
        """Nodes whose edges the next step needs, and that have given none yet."""
        return np.flatnonzero(self._improved & ~self._expanded)

    @property
    def ended(self) -> bool:
        """Whether no path can be made better by another hop."""
        return not self._improved.any()

    def step(self, nodes: int, centres: Rows, neighbours: Rows, logits: F64) -> None:
        """One hop more, among `nodes` nodes in all, with the edges (E,) of all of `to_expand`, logits (E, H).

        Edges come as `distinct_pairs` gives them.
        """
        self._grow(nodes)
        self._expanded[self.to_expand] = True
        self._centres = np.concatenate([self._centres, centres])
        self._neighbours = np.concatenate([self._neighbours, neighbours])
        self._logits = np.concatenate([self._logits, logits])
        self._weights = np.concatenate([self._weights, softmax_by_centre(logits, centres)])
        self._hops += 1
        edges = np.flatnonzero(self._improved[self._centres])
        if self._hops == 1:
            self._score[START] = self._head_scores[START] = 0
        self._improved[:] = False
        self._relax(edges)

    def reached(self, ids: npt.NDArray[np.int64], k: int | None = None) -> Reached:
        """The k best nodes reached, all where k is None; ids, one for each node, decide ties.

        The start is among them where it is its own neighbour.
        """
        nodes = np.flatnonzero(self._hop >= 0)
        order = np.lexsort((ids[nodes], -self._logit[nodes], -self._score[nodes]))
        best = nodes[order[:k]]
        return Reached(best, self._score[best], self._logit[best], self._head_scores[best], self._hop[best])

    def _grow(self, nodes: int) -> None:
        """Make room for nodes that have not been reached yet."""
        more = nodes - len(self._score)
        self._score = np.pad(self._score, (0, more))
        self._logit = np.pad(self._logit, (0, more))
        self._head_scores = np.pad(self._head_scores, ((0, more), (0, 0)))
        self._hop = np.pad(self._hop, (0, more), constant_values=-1)
        self._expanded = np.pad(self._expanded, (0, more))
        self._improved = np.pad(self._improved, (0, more))

    def _relax(self, edges: Rows) -> None:
        """Better the neighbours' paths by these edges, all of them from the paths as they were."""
        first = self._hops == 1
        centres, neighbours = self._centres[edges], self._neighbours[edges]
        score = self._weights[edges].mean(axis=1) * (1 if first else self._score[centres])
        logit = self._logits[edges].mean(axis=1) + self._logit[centres]
        order = np.lexsort((centres, -logit, -score, neighbours))
        best = order[np.diff(neighbours[order], prepend=-1) != 0]
        nodes = neighbours[best]
        new = self._hop[nodes] < 0
        if not first:
            new &= nodes != START
        better = new | ((self._hop[nodes] >= 0) & (score[best] > self._score[nodes]))
        best, nodes, new = best[better], nodes[better], new[better]
        self._head_scores[nodes] = self._weights[edges[best]] * (
            1 if first else self._head_scores[centres[best]]
        )
        self._score[nodes], self._logit[nodes] = score[best], logit[best]
        self._hop[nodes[new]] = np.where(nodes[new] == START, 0, self._hops)
        self._improved[nodes] = True
