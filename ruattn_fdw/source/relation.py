"""From the name of a relation to the columns that a search reads: its ids and its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ruattn_fdw import host_api
from ruattn_fdw.errors import (
    NO_SUCH_COLUMN,
    NO_SUCH_RELATION,
    NOT_SUPPORTED,
    AttentionError,
    choices,
    nearest,
)
from ruattn_fdw.host_api import ColumnInfo

VECTOR_KINDS = ("real[]", "double precision[]", "vector", "halfvec")
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
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1
LIMIT 10000
"""


@dataclass(frozen=True)
class Source:
    """A relation and the two columns of it that a search reads; `rows` is the planner's estimate."""

    oid: int
    schema: str
    name: str
    id_column: str
    vector_column: str
    rows: float | None

    @property
    def label(self) -> str:
        """The vector column as messages name it."""
        return f"{self.name}.{self.vector_column}"

    @property
    def description(self) -> str:
        """The relation and its columns as EXPLAIN names them."""
        return f"{self.schema}.{self.name} ({self.id_column}, {self.vector_column})"


def resolve(table_name: str, id_column: str | None, vector_column: str | None) -> Source:
    """The source that these parameters mean; columns left out are chosen if only one choice is possible."""
    relation = find_relation(table_name)
    columns = host_api.columns(relation.oid)
    return Source(
        relation.oid,
        relation.schema,
        relation.name,
        choose_id_column(relation, columns, id_column),
        choose_vector_column(relation.name, columns, vector_column),
        estimated_rows(relation),
    )


def find_relation(table_name: str) -> host_api.RelationInfo:
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


def estimated_rows(relation: host_api.RelationInfo) -> float | None:
    """The planner's estimate, None for a relation that was never analyzed and for views."""
    return relation.reltuples if relation.reltuples >= 0 and relation.relkind in "rpm" else None


def choose_id_column(
    relation: host_api.RelationInfo, columns: Sequence[ColumnInfo], wanted: str | None
) -> str:
    """The column of the ids: the one asked for, else the single-column primary key, else `id`."""
    name = wanted if wanted is not None else host_api.primary_key(relation.oid) or "id"
    column = _named(columns, name)
    integers = [column.name for column in columns if column.kind == "integer"]
    if column is None and wanted is None:
        raise AttentionError(
            f'{relation.name} has no single-column primary key and no column "id"',
            hint=f"Give id_column; integer columns are: {', '.join(integers) or 'none'}.",
        )
    if column is None:
        raise no_such_column(relation.name, name, integers)
    if column.kind != "integer":
        raise AttentionError(
            f"{relation.name}.{column.name} has type {column.type_name}, ids must be integers",
            sqlstate=NOT_SUPPORTED,
            hint="Give another id_column, or search a view that numbers the rows.",
        )
    return column.name


def choose_vector_column(relation_name: str, columns: Sequence[ColumnInfo], wanted: str | None) -> str:
    """The column of the vectors: the one asked for, else the only one of a vector-like type."""
    vectors = [column.name for column in columns if column.kind in VECTOR_KINDS]
    if wanted is None:
        return _only_vector_column(relation_name, vectors)
    column = _named(columns, wanted)
    if column is None:
        raise no_such_column(relation_name, wanted, vectors)
    if column.kind not in VECTOR_KINDS:
        raise AttentionError(
            f"{relation_name}.{column.name} has type {column.type_name}, no vector type",
            hint=choices(wanted, vectors, "vector columns"),
        )
    return column.name


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


def _named(columns: Sequence[ColumnInfo], name: str) -> ColumnInfo | None:
    return next((column for column in columns if column.name == name), None)
