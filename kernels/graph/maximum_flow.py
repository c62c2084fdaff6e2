"""The maximum flow from a source to all nodes and from all nodes to a sink, over edges of nearest nodes.

By Dinic's algorithm (1970), in pieces of some milliseconds. Where edges to the sink grow, the flow goes on
from what it was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Checkpoint, Rows, spans
from ..native import flow as native
from ..weights import Bools

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

MOST_ARCS = 2**31 - 1

_WORK = 2**22
"""Arcs that are looked at in one go."""


class Links(NamedTuple):
    """Edges of n nodes to their k nearest as arcs both ways.

    bounds (2, n): where each node's arcs start and end. heads (1, 2 n k): where an arc leads to, partners
    (1, 2 n k): the arc back.
    """

    bounds: I64
    heads: I32
    partners: I32


def linked(rows: Rows, checkpoint: Checkpoint) -> Links:
    """The links of nodes to their nearest, rows (n, k), at most MOST_ARCS arcs."""
    n, k = rows.shape
    counts = np.zeros(n, np.int64)
    for span in spans(n, 8 * k):
        counts += np.bincount(rows[span].ravel(), minlength=n)
        checkpoint()
    starts = np.arange(n) * k + np.cumsum(counts) - counts
    links = Links(
        np.stack([starts, starts + k]), np.zeros((1, 2 * n * k), np.int32), np.zeros((1, 2 * n * k), np.int32)
    )
    for span in spans(n, 8 * k):
        native.scatter(*links, rows, span.start, span.stop)
        checkpoint()
    places = np.full((1, n), -1, np.int32)
    for span in spans(n, 8 * k):
        native.pair(*links, places, span.start, span.stop)
        checkpoint()
    return links


def filled(links: Links, capacities: I32, checkpoint: Checkpoint) -> I32:
    """What the arcs (1, 2 n k) can take: capacities (n, k) of edges to the nearest, below 2^30.

    Of two nodes that both have the other among their nearest that of the lower index says it. A negative one
    says nothing; an edge of which nothing is said has the capacity 0.
    """
    residual = np.zeros_like(links.heads)
    for span in spans(len(capacities), 8 * capacities.shape[1]):
        native.fill(*links, capacities, residual, span.start, span.stop)
        checkpoint()
    return residual


class Flow:
    """A flow over links, and what its arcs and the edges of source and sink can still take."""

    def __init__(self, links: Links, residual: I32, amounts: I64) -> None:
        """residual (1, 2 n k); amounts (2, n): of the edges from the source, and of those to the sink."""
        self._links, self._residual, self._amounts = links, residual, amounts
        self._search = np.zeros((4, amounts.shape[1]), np.int64)

    def raised(self, by: int | I64, checkpoint: Checkpoint) -> Flow:
        """The maximum flow where edges to the sink take so much more, all or each of its own (n,)."""
        found = Flow(self._links, self._residual.copy(), self._amounts.copy())
        found._amounts[1] += by
        state = np.zeros((1, native.STATE), np.int64)
        checkpoint()
        while not native.advance(*self._links, found._residual, found._amounts, found._search, state, _WORK):
            checkpoint()
        return found

    @property
    def side(self) -> Bools:
        """Which nodes (n,) are on the source's side of the minimum cut, the smallest of several."""
        found: Bools = self._search[0] > 0
        return found
