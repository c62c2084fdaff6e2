"""The edges of each centre: each once, in order, and the softmax over its neighbours."""

from __future__ import annotations

import numpy as np

from ..arrays import F64, Checkpoint, Rows, runs
from ..edges import Edges


def distinct_edges(edges: Edges, loops: Rows) -> Edges:
    """The edges by centre and neighbour, each once, with (i, i) for every index i of `loops` added.

    Numbers of parallel edges are added, their vectors averaged. A loop that is not among the edges has the
    mean of its centre's attributes; of a centre without edges the number 1 or the vector 0.
    """
    found = _merged(_in_order(edges))
    absent = np.setdiff1d(loops, found.centres[found.centres == found.neighbours])
    return _in_order(found.followed_by(Edges(absent, absent, _means(found, absent))))


def _in_order(edges: Edges) -> Edges:
    return edges.take(np.lexsort((edges.neighbours, edges.centres)))


def _merged(edges: Edges) -> Edges:
    """Edges in order without repeats."""
    fresh = np.ones(len(edges), bool)
    fresh[1:] = (np.diff(edges.centres) != 0) | (np.diff(edges.neighbours) != 0)
    first, given = edges.take(fresh), edges.attributes
    if given is None or fresh.all():
        return first
    starts = np.flatnonzero(fresh)
    sums: F64 = np.add.reduceat(given, starts)
    if given.ndim > 1:
        sums /= np.diff(starts, append=len(edges))[:, None]
    return Edges(first.centres, first.neighbours, sums)


def _means(edges: Edges, nodes: Rows) -> F64 | None:
    """The mean attributes of the edges of each of these nodes; edges are in order."""
    given = edges.attributes
    if given is None:
        return None
    means: F64 = np.full((len(nodes), *given.shape[1:]), 1.0 if given.ndim == 1 else 0.0)
    first = np.searchsorted(edges.centres, nodes)
    counts = np.searchsorted(edges.centres, nodes, side="right") - first
    some = counts > 0
    places = runs(first[some], counts[some])
    if len(places):
        starts = np.cumsum(counts[some]) - counts[some]
        means[some] = (np.add.reduceat(given[places], starts).T / counts[some]).T
    return means


def softmax_by_centre(logits: F64, centres: Rows) -> F64:
    """Weights (E, H) of logits (E, H) over the edges of each centre; centres (E,) ascend."""
    if not len(centres):
        return logits
    starts = np.flatnonzero(np.diff(centres, prepend=centres[0] - 1))
    counts = np.diff(starts, append=len(centres))
    weights: F64 = np.exp(logits - np.repeat(np.maximum.reduceat(logits, starts), counts, axis=0))
    weights /= np.repeat(np.add.reduceat(weights, starts), counts, axis=0)
    return weights


def shortest_hops(n: int, edges: Edges, start: int, checkpoint: Checkpoint) -> Rows:
    """Hops (n,) from the start to each of n nodes, -1 where no way leads there; centres ascend."""
    hops = np.full(n, -1)
    hops[start] = 0
    bounds = np.searchsorted(edges.centres, np.arange(n + 1))
    frontier = np.array([start])
    while len(frontier):
        first = bounds[frontier]
        ends = np.unique(edges.neighbours[runs(first, bounds[frontier + 1] - first)])
        further = ends[hops[ends] < 0]
        hops[further] = hops[frontier[0]] + 1
        frontier = further
        checkpoint()
    return hops
