"""Questions to the extension's tables from outside of the server: values are bound, identifiers quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.source.relation import SET_KINDS, VECTOR_KINDS

Connection = psycopg.Connection[Any]
Values = Mapping[str, Any]
"""Values of parameters by name. Text will do for any of them: the server knows the parameter's type."""

# Partitions come with their parent; what belongs to an extension, or is a search itself, is no source.
# Functions are qualified and operators have equal types: in the role's path may be others that fit better.
RELATIONS = """
SELECT c.oid::regclass::text AS name, n.nspname AS schema, c.relname,
       (SELECT a.attname FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
               AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
        WHERE a.attrelid = c.oid AND a.atttypid = ANY ('{int2, int4, int8}'::regtype[]::oid[])
              AND (i.indrelid IS NOT NULL OR a.attname = 'id')
        ORDER BY i.indrelid NULLS LAST LIMIT 1) AS id_column,
       ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND t.typcategory = 'S' ORDER BY a.attnum) AS texts
FROM   pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE  c.relkind IN ('r', 'p', 'm', 'v', 'f') AND NOT c.relispartition
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
       AND NOT EXISTS (SELECT FROM pg_depend
                       WHERE classid = 'pg_class'::regclass::oid AND objid = c.oid AND deptype = 'e')
       AND NOT EXISTS (SELECT FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
                       JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
                       WHERE f.ftrelid = c.oid AND w.fdwname = 'ruattn_fdw')
       AND EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                         AND (pg_catalog.format_type(a.atttypid, NULL) = ANY (%(kinds)s::text[])
                              OR t.typname = ANY (%(kinds)s::text[])))
       AND (%(name)s::text IS NULL OR c.oid = pg_catalog.to_regclass(%(name)s)::oid)
ORDER  BY 1
"""


@dataclass(frozen=True)
class Relation:
    """A relation with vectors: its name as SQL writes it, the column of integer ids, those that hold text."""

    name: str
    schema: str
    relname: str
    id_column: str | None
    texts: list[str]

    @property
    def identifier(self) -> sql.Identifier:
        """Its name, quoted."""
        return identifier(self.relname) if "." not in self.name else identifier(self.schema, self.relname)


@dataclass(frozen=True)
class Search:
    """A search of one of our tables: values of its parameters, and the column that says what a row is.

    Where the source is not known to have vectors and ids no label is read: the server's own words come then.
    """

    table: Table
    values: Values
    source: Relation | None = None
    label: str | None = None

    def statement(self, columns: Iterable[str]) -> sql.Composed:
        """SELECT of these columns and `label`, the id where there is none, best row first; to be bound."""
        return sql.SQL("SELECT {}\nFROM   {}\nWHERE  {}\nORDER  BY s.rank").format(
            sql.SQL(", ").join([*(sql.SQL(f"s.{name}") for name in columns), self._label()]),
            self._relations(),
            conditions(self.table, self.values),
        )

    def rows(self, connection: Connection, columns: Iterable[str]) -> list[dict[str, Any]]:
        """Those columns of each row, its id among them, and its `label`; no row at all is an error."""
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(self.statement(columns), self.values).fetchall()
        if not found:
            raise ServerError(f"{self.table.name} found no row")
        return [{**row, "label": row["label"] or str(row[self._id])} for row in found]

    def label_of(self, connection: Connection, row_id: Any) -> str | None:
        """What the source calls that row, None where there is no label."""
        found = self._labelled()
        if found is None:
            return None
        source, id_column, label = found
        statement = sql.SQL("SELECT d.{}::text FROM {} d WHERE d.{} = %(row_id)s").format(
            identifier(label), source.identifier, identifier(id_column)
        )
        row = connection.execute(statement, {"row_id": row_id}).fetchone()
        return None if row is None else row[0]

    @property
    def _id(self) -> str:
        assert self.table.source_row is not None
        return self.table.source_row.result

    def _labelled(self) -> tuple[Relation, str, str] | None:
        """The relation, and its columns of the ids and of the labels."""
        assert self.table.source_row is not None
        if self.source is None or self.label is None:
            return None
        id_column = self.values.get(self.table.source_row.id_column) or self.source.id_column
        return None if id_column is None else (self.source, id_column, self.label)

    def _label(self) -> sql.Composed:
        found = self._labelled()
        if found is None:
            return sql.SQL(f"s.{self._id}::text AS label").format()
        return sql.SQL("d.{}::text AS label").format(identifier(found[2]))

    def _relations(self) -> sql.Composed:
        searched = sql.SQL(f"{self.table.name} s").format()
        found = self._labelled()
        if found is None:
            return searched
        source, id_column, _ = found
        joined = sql.SQL(f" LEFT JOIN {{}} d ON d.{{}} = s.{self._id}")
        return searched + joined.format(source.identifier, identifier(id_column))


def conditions(table: Table, values: Values) -> sql.Composed:
    """WHERE: each parameter of `s` that has a value, compared with it."""
    unknown = sorted(set(values) - {parameter.name for parameter in table.parameters})
    if unknown:
        known = choices(unknown[0], (parameter.name for parameter in table.parameters), "parameters")
        raise AttentionError(f'{table.name} has no parameter "{unknown[0]}"', hint=known)
    given = (p.name for p in table.parameters if p.name in values)
    compared = [sql.SQL(f"s.{name} = {{}}").format(sql.Placeholder(name)) for name in given]
    return sql.SQL("\n       AND ").join(compared)


def relations(connection: Connection, name: str | None = None) -> list[Relation]:
    """The relations with vectors that the role may read; only the one of that name where it is given."""
    kinds = [*VECTOR_KINDS, *SET_KINDS]
    with connection.cursor(row_factory=class_row(Relation)) as cursor:
        return cursor.execute(RELATIONS, {"kinds": kinds, "name": name}).fetchall()


def find_relation(connection: Connection, name: str) -> Relation | None:
    """The relation of that name, if it has vectors that the role may read."""
    return next(iter(relations(connection, name)), None)


def identifier(*names: str) -> sql.Identifier:
    """A quoted name in a statement with placeholders, where a percent sign is doubled."""
    return sql.Identifier(*(name.replace("%", "%%") for name in names))


def relation_identifier(connection: Connection, name: str) -> sql.Identifier:
    """The relation that a parameter names as SQL writes it, quoted."""
    statement = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.oid = pg_catalog.to_regclass(%s)::oid"""
    found = connection.execute(statement, [name]).fetchone()
    assert found is not None
    return identifier(*found)
