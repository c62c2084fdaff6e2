"""The numbers and vectors that edges carry."""

from __future__ import annotations

import numpy as np

from ..arrays import F64
from ..edges import Edges
from ..errors import InvalidOption, OutOfDomain
from ..options import Option

EDGE_COLUMN = "edge_column"


def edge_column(help: str) -> Option:
    """The option that names a column of the edges."""
    return Option(EDGE_COLUMN, str, None, None, help)


def weights_of(edges: Edges, *, zero: bool) -> F64:
    """The attributes (E,) as weights: positive numbers, or 0 where that is allowed."""
    given = edges.attributes
    assert given is not None
    if given.ndim != 1:
        raise InvalidOption(
            f"edge_column holds vectors of {given.shape[1]} dimensions, weights of edges are numbers",
            "Name a column of numbers.",
        )
    if (given < 0).any() or not (zero or given.all()):
        # not a loop that has the mean of its neighbours' bad weights
        row = int(np.lexsort((edges.centres == edges.neighbours, given))[0])
        least = "at least 0" if zero else "greater than 0"
        what = f"is {given[row]:g}, it must be {least}"
        raise OutOfDomain(what, "Correct it, or leave the edge out.", row=row)
    return given


def features_of(edges: Edges) -> F64:
    """The attributes (E, f); a number is a vector of one dimension."""
    assert edges.attributes is not None
    return edges.attributes.reshape(len(edges), -1)
