"""Ids of every type: integers as numbers, others by their text form and in the order that their type has."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.arrays import array_literal, read_integers
from ruattn_fdw.column_types import is_array
from ruattn_fdw.declaration import INTEGER_TYPES, Parameter
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.host_records import ColumnInfo
from ruattn_fdw.kernels.ids import Ids
from ruattn_fdw.values import read_integer

ID = Parameter("id", "bigint", "id of a row of the source")
IDS = Parameter("candidates", "bigint[]", "ids of rows of the source")

# A domain is what it is over, so that no CHECK of its owner's runs. An extension's type has its "=" beside
# it; no other is used: whoever made an enumeration, or an array of one, could have made that too.
ID_TYPE = """
WITH RECURSIVE through (oid) AS (
    SELECT a.atttypid FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) $2
    UNION ALL
    SELECT d.typbasetype FROM through JOIN pg_catalog.pg_type d ON d.oid OPERATOR(pg_catalog.=) through.oid
    WHERE d.typtype OPERATOR(pg_catalog.=) 'd'
)
SELECT pg_catalog.format_type(t.oid, -1),
       CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'b' AND t.typcategory OPERATOR(pg_catalog.<>) 'A'
                 AND EXISTS (SELECT FROM pg_catalog.pg_operator o
                             WHERE o.oprname OPERATOR(pg_catalog.=) '='
                               AND o.oprleft OPERATOR(pg_catalog.=) t.oid
                               AND o.oprright OPERATOR(pg_catalog.=) t.oid
                               AND o.oprnamespace OPERATOR(pg_catalog.=) t.typnamespace
                               AND o.oprowner OPERATOR(pg_catalog.=) t.typowner)
            THEN n.nspname ELSE 'pg_catalog' END
FROM through JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) through.oid
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.typtype OPERATOR(pg_catalog.<>) 'd'
"""


class IdType(NamedTuple):
    """The SQL type of ids that are no integers, of domains what they are over, and the schema of its `=`."""

    name: str
    equality_schema: str


def find_id_type(oid: int, column: str) -> IdType:
    """The type of a column of a relation."""
    (names, schemas), _, _ = host_api.select(ID_TYPE, ("text", "text"), args=(oid, column))
    return IdType(names[0], schemas[0])


def as_id(id_type: IdType | None, value: int | str) -> int | str:
    """One id as a source with ids of that type takes it: an integer where that is None, else a text."""
    return read_integer(ID, value) if id_type is None else str(value)


def as_ids(id_type: IdType | None, values: np.ndarray | Sequence[int | str] | str) -> np.ndarray | str:
    """Several ids: int64 (n,) where the type is None, else the text form of an array."""
    if id_type is None:
        return np.unique(read_integers(IDS, values))
    return values if isinstance(values, str) else array_literal(values)


def number_of(values: np.ndarray | str) -> int:
    """About how many ids these are, for the planner."""
    return values.count(",") + 1 if isinstance(values, str) else len(values)


def check_type(relation: str, column: ColumnInfo, id_type: str) -> None:
    """Raise if a table whose ids have the type `id_type` cannot show ids of a column.

    An integer type shows integers only, and an array type none.
    """
    kind = column.type_name
    if is_array(id_type) if column.kind == "integer" else id_type in INTEGER_TYPES:
        raise AttentionError(
            f"{relation}.{column.name} has type {kind}, the ids of this table have type {id_type}",
            sqlstate="0A000",
            hint="Give another id_column, or create a foreign table of your own "
            f"with an id column of type {kind}.",
        )


class WithIds:
    """Rows that are found by their ids int64 (n,)."""

    ids: Ids

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _ascending(self) -> bool:
        """Whether each id is larger than the one before it, as most are of rows that were only added."""
        ids = self.ids[:]
        return bool((ids[1:] > ids[:-1]).all())

    def places_of(self, row_id: int) -> np.ndarray:
        """The indexes of the rows with this id; not by reading all ids where they are ascending."""
        if not self._ascending:
            return np.flatnonzero(self.ids[:] == row_id)
        place = bisect_left(range(len(self)), row_id, key=lambda row: int(self.ids[row]))
        return np.arange(place, place + (place < len(self) and self.ids[place] == row_id))
