import numpy as np
import numpy.typing as npt

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

STATE: int
"""Numbers that a search keeps from one call to the next."""

# bounds (2, n): where the arcs of each node start and end in heads and partners (1, 2 n k)

def scatter(bounds: I64, heads: I32, partners: I32, rows: I64, first: int, end: int, /) -> None:
    """Write the arcs of the nodes first to end to their nearest, rows (n, k) without repeats, and those back.

    At first a node's end is k behind its start, and the next start as far behind that as there are rows that
    have the node among their nearest.
    """

def pair(bounds: I64, heads: I32, partners: I32, places: I32, first: int, end: int, /) -> None:
    """After all of `scatter`: join each arc with that back, and keep one pair of them where both are nearest.

    places (1, n) are -1 at first.
    """

def fill(
    bounds: I64, heads: I32, partners: I32, capacities: I32, residual: I32, first: int, end: int, /
) -> None:
    """Write into residual (1, 2 n k) the capacities (n, k) of edges to the nearest, both ways.

    Negative ones say nothing. What the node of the lower index says counts, else what the other one does.
    """

def advance(
    bounds: I64,
    heads: I32,
    partners: I32,
    residual: I32,
    amounts: I64,
    search: I64,
    state: I64,
    work: int,
    /,
) -> bool:
    """Look at so many arcs, and some more, to enlarge a flow; True once it is a maximum.

    residual (1, 2 n k) and amounts (2, n): what arcs, the source's arcs to nodes and nodes' to the sink can
    still take. search (4, n) and state (1, STATE), of zeros at first, are for the next call. In the end the
    first row of search is above 0 at the nodes that the source still reaches: its side of a minimum cut, the
    smallest of several.
    """
