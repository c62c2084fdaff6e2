"""What mechanisms work on: a query, or many, before all keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .arrays import F32, F64, Checkpoint
from .ids import Ids
from .keyset import KeySet
from .positions import Positions

Options = Mapping[str, Any]
"""Options of a mechanism with their values in effect."""


@dataclass(frozen=True)
class Problem:
    """One query before all its keys, checked: what a mechanism that needs the whole set works on.

    query (H, d/H), the set of keys (n, d) with n >= 1, their ids (n,), which decide between equals,
    normaliser (H,) or None. positions are there if the mechanism needs an order. columns holds the numbers
    (n,) of each option that names a column of them. notes: what a mechanism tells of how its weights came
    about, by label.
    """

    query: F64
    keyset: KeySet
    ids: Ids
    temperature: float
    options: Options
    normaliser: F64 | None
    positions: Positions | None
    columns: Mapping[str, F64]
    checkpoint: Checkpoint
    notes: dict[str, object] = field(default_factory=dict)

    @cached_property
    def keys(self) -> F32:
        """The keys (n, d) in one array."""
        return self.keyset.dense()

    @property
    def order(self) -> Positions:
        """The positions, of a mechanism that needs them."""
        assert self.positions is not None
        return self.positions

    @property
    def ages(self) -> F64:
        """By how much each key (n,) stands before the query, in the unit of the order; negative for later."""
        return self.order.query_value - self.order.values


@dataclass(frozen=True)
class BatchProblem:
    """Queries (m, H, d/H) before keys (n, d), m and n >= 1, for mechanisms whose weights need all queries."""

    queries: F64
    keys: F32
    temperature: float
    options: Options
    columns: Mapping[str, F64]
    checkpoint: Checkpoint
