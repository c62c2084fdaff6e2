"""Graphs as arrays, and what scores their edges or weighs all of their nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .arrays import F32, F64, Checkpoint


@dataclass(frozen=True)
class Edges:
    """Edges of a graph by their ends (E,): each node of `centres` attends to its `neighbours`.

    Ends are indexes of nodes, or ids until these have indexes. attributes: a number (E,) or a vector (E, f)
    of each edge, float64; None where edges are nothing but their ends.
    """

    centres: np.ndarray
    neighbours: np.ndarray
    attributes: F64 | None = None

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, places: np.ndarray) -> Edges:
        """The edges at these places, which may be a mask."""
        attributes = None if self.attributes is None else self.attributes[places]
        return Edges(self.centres[places], self.neighbours[places], attributes)

    def followed_by(self, others: Edges) -> Edges:
        """These edges and then the others, which have attributes if these have."""
        if not (len(self) and len(others)):
            return self if len(self) else others
        attributes = None
        if self.attributes is not None and others.attributes is not None:
            attributes = np.concatenate([self.attributes, others.attributes])
        centres = np.concatenate([self.centres, others.centres])
        return Edges(centres, np.concatenate([self.neighbours, others.neighbours]), attributes)


class EdgeScorer(Protocol):
    """Scores edges by the features of their ends and what attributes they have."""

    def __call__(self, features: F32, edges: Edges, checkpoint: Checkpoint) -> F64:
        """Logits (E, H) of edges between rows of the nodes' features (n, d)."""


MakeEdgeScorer = Callable[[int, int, float, Mapping[str, Any]], EdgeScorer]
"""Dimensions of the features, number of heads, temperature, options -> scorer of edges."""


@dataclass(frozen=True)
class GraphProblem:
    """One node, at index `start`, before a whole graph, for mechanisms whose weights need all of it.

    features (n, d); edges are distinct, by centre and neighbour.
    """

    features: F32
    edges: Edges
    start: int
    temperature: float
    options: Mapping[str, Any]
    checkpoint: Checkpoint


@dataclass
class Reached:
    """Nodes that a start has reached.

    node (r,): index. score, logit (r,); logit is NaN for a node of score 0 that has none. head_scores (r, H).
    hop (r,): hops on the shortest way there, 0 for the start itself.
    """

    node: np.ndarray
    score: F64
    logit: F64
    head_scores: F64
    hop: np.ndarray

    def best(self, ids: np.ndarray, k: int | None = None) -> Reached:
        """The k best by score, then logit, then id, all where k is None; ids has one for each node."""
        logit = np.nan_to_num(self.logit, nan=-np.inf)
        return self.take(np.lexsort((ids[self.node], -logit, -self.score))[:k])

    def take(self, places: np.ndarray) -> Reached:
        """The nodes at these places, which may be a mask."""
        return Reached(
            self.node[places],
            self.score[places],
            self.logit[places],
            self.head_scores[places],
            self.hop[places],
        )


WeighGraph = Callable[[GraphProblem], Reached]
"""A graph -> every node that the start reaches, itself included, in any order."""
