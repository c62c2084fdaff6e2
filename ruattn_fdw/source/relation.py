"""From the name of a relation to the columns that a search reads: its ids and its vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ruattn_fdw import host_api
from ruattn_fdw.errors import (
    NO_SUCH_COLUMN,
    NO_SUCH_RELATION,
    AttentionError,
    choices,
    nearest,
)
from ruattn_fdw.host_records import ColumnInfo, RelationInfo
from ruattn_fdw.source.ids import IdType, check_type, find_id_type

VECTOR_KINDS = ("real[]", "double precision[]", "vector", "halfvec")
SET_KINDS = ("vector[]", "halfvec[]")
TEXT_KINDS = ("text",)
READABLE_KINDS = "rpmvf"
SYSTEM_SCHEMAS = ("pg_catalog", "information_schema", "pg_toast")
KIND_NAMES = {
    "i": "an index",
    "I": "an index",
    "S": "a sequence",
    "t": "a TOAST table",
    "c": "a composite type",
}

RELATION_NAMES = """
SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname
            ELSE pg_catalog.concat(n.nspname, '.', c.relname) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m,v,f}')
  AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema,pg_toast}')
  AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
ORDER BY 1
LIMIT 10000
"""


@dataclass(frozen=True)
class Source:
    """A relation and the two columns of it that a search reads.

    rows is the planner's estimate; id_type is None for integer ids. order_column, value_column and
    number_columns, where the search has them, are read beside the vectors; the last are (option that names
    it, column).
    """

    oid: int
    schema: str
    name: str
    id_column: str
    vector_column: str
    rows: float | None
    id_type: IdType | None = None
    order_column: str | None = None
    value_column: str | None = None
    number_columns: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The vector column as messages name it, with the column of the values beside it."""
        values = f" or {self.value_column}" if self.value_column else ""
        return f"{self.name}.{self.vector_column}{values}"

    @property
    def description(self) -> str:
        """The relation and its columns as EXPLAIN names them."""
        numbers = (column for _, column in self.number_columns)
        columns = [self.id_column, self.vector_column, self.value_column, *numbers, self.order_column]
        return f"{self.schema}.{self.name} ({', '.join(column for column in columns if column)})"


def resolve(
    table_name: str,
    id_column: str | None,
    vector_column: str | None,
    id_type: str = "bigint",
    sets: bool = False,
) -> Source:
    """The source that these parameters mean; columns left out are chosen if only one choice is possible.

    id_type is that of the ids in the foreign table: an integer type takes integer ids only. With `sets` a
    column may hold several vectors in each row.
    """

    def choose(relation_name: str, columns: tuple[ColumnInfo, ...], ids: str) -> str:
        return choose_vector_column(relation_name, columns, vector_column, sets)

    return source_of(table_name, id_column, id_type, choose)


def source_of(
    table_name: str,
    id_column: str | None,
    id_type: str,
    choose: Callable[[str, tuple[ColumnInfo, ...], str], str],
) -> Source:
    """The source of a relation, with the column that `choose` takes, given its name, columns and ids."""
    relation = find_relation(table_name)
    columns = host_api.columns(relation.oid)
    key = None if id_column is not None else host_api.primary_key(relation.oid)
    ids = choose_id_column(relation.name, columns, id_column, key, id_type)
    return Source(
        relation.oid,
        relation.schema,
        relation.name,
        ids.name,
        choose(relation.name, columns, ids.name),
        estimated_rows(relation),
        None if ids.kind == "integer" else find_id_type(relation.oid, ids.name),
    )


def find_relation(table_name: str) -> RelationInfo:
    """A relation that holds rows, found as SQL finds a relation name."""
    relation = host_api.relation(table_name)
    if relation is None:
        raise AttentionError(
            f'relation "{table_name}" does not exist',
            sqlstate=NO_SUCH_RELATION,
            hint=_relation_hint(table_name),
        )
    if relation.schema in SYSTEM_SCHEMAS:
        raise AttentionError(
            f"{relation.schema}.{relation.name} belongs to the system catalogue", hint=_SOURCE_HINT
        )
    if relation.relkind not in READABLE_KINDS:
        what = KIND_NAMES.get(relation.relkind, "not a relation with rows")
        raise AttentionError(f"{relation.schema}.{relation.name} is {what}", hint=_SOURCE_HINT)
    return relation


_SOURCE_HINT = "Name a table, a view, a materialized view or a foreign table."


def _relation_hint(table_name: str) -> str:
    (names,), _, _ = host_api.select(RELATION_NAMES, ("text",))
    bare = table_name.rpartition(".")[2].strip('"')
    elsewhere = [name for name in names if name.rpartition(".")[2] == bare]
    close = elsewhere[0] if elsewhere else nearest(bare, names)
    return (
        f'Perhaps you meant "{close}".'
        if close
        else "Names resolve in the search_path, or write schema.table."
    )


def estimated_rows(relation: RelationInfo) -> float | None:
    """The planner's estimate, None for a relation that was never analyzed and for views."""
    return relation.reltuples if relation.reltuples >= 0 and relation.relkind in "rpm" else None


@lru_cache(maxsize=64)
def choose_id_column(
    relation_name: str, columns: tuple[ColumnInfo, ...], wanted: str | None, key: str | None, id_type: str
) -> ColumnInfo:
    """The column of the ids: the one asked for, else `key`, the single-column primary key, else `id`."""
    name = wanted if wanted is not None else key or "id"
    column = _named(columns, name)
    integers = names_of(columns, lambda column: column.kind == "integer")
    if column is None and wanted is None:
        raise AttentionError(
            f'{relation_name} has no single-column primary key and no column "id"',
            hint=f"Give id_column; integer columns are: {', '.join(integers) or 'none'}.",
        )
    if column is None:
        raise no_such_column(relation_name, name, integers)
    check_type(relation_name, column, id_type)
    return column


@lru_cache(maxsize=64)
def choose_vector_column(
    relation_name: str, columns: tuple[ColumnInfo, ...], wanted: str | None, sets: bool = False
) -> str:
    """The column of the vectors: the one asked for, else the only one of a vector-like type that may be read.

    With `sets` a column of sets of vectors does too, and comes first.
    """
    holders = names_of(columns, lambda column: column.kind in SET_KINDS)
    vectors = names_of(columns, lambda column: column.kind in VECTOR_KINDS)
    if wanted is None:
        return _only_vector_column(relation_name, holders if sets and holders else vectors)
    column = _named(columns, wanted)
    if column is None:
        raise no_such_column(relation_name, wanted, vectors)
    if column.kind in VECTOR_KINDS or (sets and column.kind in SET_KINDS):
        return column.name
    if column.kind in SET_KINDS:
        raise AttentionError(
            f"{relation_name}.{column.name} has type {column.type_name}, several vectors in each row",
            hint="Search it with attention_type = 'max_sim', or name a column of single vectors.",
        )
    raise AttentionError(
        f"{relation_name}.{column.name} has type {column.type_name}, no vector type",
        hint=choices(wanted, vectors, "vector columns"),
    )


def _only_vector_column(relation_name: str, vectors: Sequence[str]) -> str:
    if len(vectors) == 1:
        return vectors[0]
    if not vectors:
        raise AttentionError(
            f"{relation_name} has no column of a vector type",
            hint=f"Vector types are {', '.join(VECTOR_KINDS)}.",
        )
    raise AttentionError(
        f"{relation_name} has {len(vectors)} vector columns: {', '.join(vectors)}",
        hint=f"Say which: vector_column = '{vectors[0]}'.",
    )


def no_such_column(relation_name: str, name: str, known: Sequence[str]) -> AttentionError:
    """The error for a column that does not exist, with those that would do."""
    return AttentionError(
        f'column "{name}" of relation "{relation_name}" does not exist',
        sqlstate=NO_SUCH_COLUMN,
        hint=choices(name, known, "columns"),
    )


def names_of(columns: Sequence[ColumnInfo], fits: Callable[[ColumnInfo], bool]) -> list[str]:
    """The columns that would do, less those that the caller may not read: no message names them."""
    return [column.name for column in columns if column.readable and fits(column)]


def _named(columns: Sequence[ColumnInfo], name: str) -> ColumnInfo | None:
    return next((column for column in columns if column.name == name), None)
