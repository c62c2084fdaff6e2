"""The row versions that the snapshot, and row security, let the caller see: walked or asked of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.build import NoCopyError
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import NESTING, expression, quote

OLD_ROWS = "rows frozen more than two billion transactions ago"


@dataclass(frozen=True)
class Versions:
    """Row versions by address (n,) and inserting transaction (n,).

    beside: further columns of the same rows. skipped: rows left out for their NULL vector.
    """

    tids: np.ndarray
    versions: np.ndarray
    beside: Sequence[Any] = ()
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.tids)


def walked(leaves: bytes) -> Versions:
    """All that the snapshot sees, in the order of addresses. NoCopyError where row versions prove nothing."""
    tids, xmins, provable = host_api.heap_keys(leaves)
    if not provable:
        raise NoCopyError(OLD_ROWS)
    return Versions(np.asarray(tids), np.asarray(xmins))


def selected(source: Source, leaves: bytes, columns: Sequence[tuple[str, str]]) -> Versions:
    """All that the caller's own SELECT gives and that has a vector, with further columns (name, kind).

    It obeys row security, and serializable transactions meet the writers of its rows. Raises NoCopyError.
    """
    listed = ["t.tableoid", "t.ctid", "t.xmin", "pg_catalog.age(t.xmin)"]
    listed.append(f"t.{quote(source.vector_column)} IS NOT NULL")
    listed += [expression(column) for column, _ in columns]
    statement = f"SELECT {', '.join(listed)} FROM {quote(source.schema)}.{quote(source.name)} AS t"
    if source.id_type is not None:
        statement += f" ORDER BY t.{quote(source.id_column)}"
    kinds = ("id", "id", "id", "id", "present", *(kind for _, kind in columns))
    with NESTING.one_deeper(source):
        found, _, skipped = host_api.select(statement, kinds, source.label)
    oids, tids, xmins, ages = (np.asarray(column) for column in found[:4])
    if (ages < 0).any():
        raise NoCopyError(OLD_ROWS)
    return Versions(tids | _leaf_numbers(oids, leaves) << 48, xmins, found[5:], skipped)


def shown(view: Source, leaves: bytes) -> Versions:
    """All that a view shows of its table and that has a vector. Raises NoCopyError."""
    with NESTING.one_deeper(view):
        oids, tids, xmins, provable, nulls = host_api.view_keys(view.oid, view.vector_column)
    if not provable:
        raise NoCopyError(OLD_ROWS)
    numbers = _leaf_numbers(np.asarray(oids), leaves)
    return Versions(np.asarray(tids) | numbers << 48, np.asarray(xmins), skipped=nulls)


def _leaf_numbers(oids: np.ndarray, leaves: bytes) -> np.ndarray:
    """Which of the leaves each of the tables (n,) is."""
    known = np.frombuffer(leaves, np.uint32).astype(np.int64)
    order = np.argsort(known)
    if not len(known):
        return oids
    places = np.searchsorted(known[order], oids).clip(max=len(known) - 1)
    numbers = order[places]
    if (known[numbers] != oids).any():
        raise NoCopyError("partitions attached while they were read")
    result: np.ndarray = numbers.astype(np.int64)
    return result
