"""Attention over several hops: of each node the best path from one start, by the product of its weights."""

from __future__ import annotations

import numpy as np

from ..arrays import F64, Rows
from ..edges import Edges, Reached
from .neighbours import softmax_by_centre

START = 0
"""Index of the node that the paths start from."""


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

    def step(self, nodes: int, edges: Edges, logits: F64) -> None:
        """One hop more, among `nodes` nodes in all, with the edges of all of `to_expand`, logits (E, H).

        Edges come as `distinct_edges` gives them.
        """
        self._grow(nodes)
        self._expanded[self.to_expand] = True
        self._centres = np.concatenate([self._centres, edges.centres])
        self._neighbours = np.concatenate([self._neighbours, edges.neighbours])
        self._logits = np.concatenate([self._logits, logits])
        self._weights = np.concatenate([self._weights, softmax_by_centre(logits, edges.centres)])
        self._hops += 1
        again = np.flatnonzero(self._improved[self._centres])
        if self._hops == 1:
            self._score[START] = self._head_scores[START] = 0
        self._improved[:] = False
        self._relax(again)

    def reached(self) -> Reached:
        """The nodes reached: score and head_scores by the product of weights along the best path.

        logit is the sum along it; the hop that of the first path there. The start is among them where it is
        its own neighbour.
        """
        nodes = np.flatnonzero(self._hop >= 0)
        fields = (self._score, self._logit, self._head_scores, self._hop)
        return Reached(nodes, *(field[nodes] for field in fields))

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
