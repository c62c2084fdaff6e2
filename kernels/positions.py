"""Where keys and query stand in the order of the rows, for mechanisms that know an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import F64, Rows

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Positions:
    """values (n,): the keys' positions, in the order's unit. ranks (n,): their places by (value, id), from 0.

    query_value and query_rank say the same of the query, query_row its index if it is one of the keys.
    """

    values: F64
    ranks: Rows
    query_value: float
    query_rank: int
    query_row: int | None = None

    @property
    def steps(self) -> Rows:
        """How many ranks each key stands before the query; negative for later ones."""
        result: Rows = self.query_rank - self.ranks
        return result


class Order:
    """The order of keys by value (n,) and id (n,); `at` and `at_key` place a query in it."""

    def __init__(self, values: F64, ids: Integers) -> None:
        self._values = values
        by_rank = np.lexsort((ids, values))
        self._sorted = values[by_rank]
        self._ranks = np.empty(len(values), np.intp)
        self._ranks[by_rank] = np.arange(len(values))

    def at(self, value: float | None = None) -> Positions:
        """A query at this value, with the rank of the newest key not after it; None: at the newest key."""
        if value is None:
            value = float(self._sorted[-1]) if len(self._sorted) else 0.0
        rank = int(np.searchsorted(self._sorted, value, side="right")) - 1
        return Positions(self._values, self._ranks, value, rank)

    def at_key(self, row: int) -> Positions:
        """A query that is the key at this row index."""
        return Positions(self._values, self._ranks, float(self._values[row]), int(self._ranks[row]), row)
