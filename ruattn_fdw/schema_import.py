"""IMPORT FOREIGN SCHEMA: a foreign table for each relation of this database that a search can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ruattn_fdw import host_api
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import INVALID_OPTION, AttentionError, choices, nearest
from ruattn_fdw.host_records import ColumnInfo
from ruattn_fdw.parameters import OPERATION
from ruattn_fdw.source.relation import SET_KINDS, TEXT_KINDS, VECTOR_KINDS
from ruattn_fdw.source.rows import quote
from ruattn_fdw.tables import TABLES
from ruattn_fdw.tables.options import check_options

DEFAULT_OPERATION = "mha_search"
VECTOR_TYPE = "attention_vector"

SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1
"""

# partitions come with their parent; our own tables, and what belongs to an extension, are no sources
RELATIONS = """
SELECT c.relname, c.oid, c.relispartition
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE n.nspname OPERATOR(pg_catalog.=) $1 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m,v,f}')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_foreign_table f
                       JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) f.ftserver
                       JOIN pg_catalog.pg_foreign_server own ON own.srvfdw OPERATOR(pg_catalog.=) s.srvfdw
                  WHERE f.ftrelid OPERATOR(pg_catalog.=) c.oid AND own.srvname OPERATOR(pg_catalog.=) $2)
ORDER BY 1
"""

COLLATIONS = """
SELECT a.attname, pg_catalog.quote_ident(n.nspname) OPERATOR(pg_catalog.||) '.'
                  OPERATOR(pg_catalog.||) pg_catalog.quote_ident(l.collname)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
     JOIN pg_catalog.pg_collation l ON l.oid OPERATOR(pg_catalog.=) a.attcollation
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) l.collnamespace
WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
  AND a.attcollation OPERATOR(pg_catalog.<>) t.typcollation
"""

EXTENSION_SCHEMA = """
SELECT n.nspname FROM pg_catalog.pg_extension e
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
WHERE e.extname OPERATOR(pg_catalog.=) ANY ('{ruattn_fdw,ruattn_fdw_multicorn}')
"""


class Relation(NamedTuple):
    """A relation that may become a foreign table."""

    oid: int
    schema: str
    name: str
    columns: Sequence[ColumnInfo]

    def readable(self, row: SourceRow) -> list[str]:
        """Its columns that a search can read vectors from, or texts."""
        kinds = TEXT_KINDS if row.texts else (*VECTOR_KINDS, *SET_KINDS)
        return [c.name for c in self.columns if c.kind in kinds and c.name != self.id_column()]

    def may_be_named(self) -> bool:
        """Whether the caller may read any of it."""
        return any(column.readable for column in self.columns)

    def id_column(self) -> str | None:
        """The column of its ids, if it has one that is found without being named."""
        names = [column.name for column in self.columns]
        return host_api.primary_key(self.oid) or ("id" if "id" in names else None)


def import_schema(
    server: str, schema: str, list_type: str, names: Sequence[str], options: Mapping[str, str]
) -> list[str]:
    """CREATE FOREIGN TABLE for each relation of the schema that has a column of vectors, or of texts.

    list_type says whether `names` are the only ones wanted (`limit to`), those not wanted (`except`), or
    nothing (`all`). options are those of every table; `operation` among them is mha_search if left out.
    Relations that are named but cannot be imported are told of in a NOTICE, to who may read a column of them.
    """
    relations = importable(server, schema, list_type, names, options)
    return [create_statement(relation, server, options) for relation in relations]


def importable(
    server: str, schema: str, list_type: str, names: Sequence[str], options: Mapping[str, str]
) -> list[Relation]:
    """The relations that become foreign tables; raises for a schema or options that do not exist."""
    table = _check(schema, {OPERATION: DEFAULT_OPERATION, **options})
    found = []
    for relation in _relations(server, schema, list_type, names):
        problem = _problem(table, relation)
        if problem is None:
            found.append(relation)
        elif relation.may_be_named() and (relation.readable(_row(table)) or list_type == "limit to"):
            host_api.notice(f"{schema}.{relation.name} is not imported", problem)
    return found


def create_statement(
    relation: Relation,
    server: str,
    options: Mapping[str, str],
    parameter_type: Callable[[str], str] = lambda type_name: type_name,
) -> str:
    """CREATE FOREIGN TABLE for one relation: its own columns, then results and parameters that are left.

    parameter_type: the type that a parameter of this type has on this host.
    """
    table = TABLES[options.get(OPERATION, DEFAULT_OPERATION)].declaration
    fixed = {OPERATION: DEFAULT_OPERATION, **options, **_source_options(table, relation)}
    row = _row(table)
    collations = _collations(relation)
    declared = {column.name: column for column in table.columns()}
    id_column = fixed[row.id_column]
    own = [c for c in relation.columns if c.name not in declared or c.name == id_column == row.result]
    shown = {*(c.name for c in own), *fixed}
    if id_column in shown:
        shown.add(row.result)
    columns = [f"{quote(c.name)} {c.type_name}{collations.get(c.name, '')}" for c in own]
    columns += [
        f"{quote(name)} {_sql_type(relation, fixed, column, parameter_type)}"
        for name, column in declared.items()
        if name not in shown
    ]
    listed = ", ".join(f"{quote(name)} {_literal(value)}" for name, value in fixed.items())
    return (
        f"CREATE FOREIGN TABLE {quote(relation.name)} ({', '.join(columns)}) "
        f"SERVER {quote(server)} OPTIONS ({listed})"
    )


def _check(schema: str, options: Mapping[str, str]) -> Table:
    """The table that the options mean; raises if they, or the schema, do not exist."""
    names = [name for name, handler in TABLES.items() if handler.declaration.source_row is not None]
    operation = options[OPERATION]
    if operation not in names:
        raise AttentionError(
            f'tables of the operation "{operation}" cannot be imported',
            sqlstate=INVALID_OPTION,
            hint=choices(operation, names, "operations"),
        )
    table = TABLES[operation].declaration
    check_options(table, options)
    (schemas,), _, _ = host_api.select(SCHEMAS, ("text",))
    if schema not in schemas:
        close = nearest(schema, schemas)
        raise AttentionError(
            f'schema "{schema}" does not exist in this database',
            sqlstate="3F000",
            hint=f'Perhaps you meant "{close}".'
            if close
            else "Name a schema of this database that you may use.",
        )
    return table


def _relations(server: str, schema: str, list_type: str, wanted: Sequence[str]) -> Iterator[Relation]:
    (names, oids, partitions), _, _ = host_api.select(
        RELATIONS, ("text", "text", "text"), args=(schema, server)
    )
    for name, oid, partition in zip(names, oids, partitions, strict=True):
        is_named = name in wanted
        if (list_type == "limit to" and not is_named) or (list_type == "except" and is_named):
            continue
        if partition == "t" and list_type != "limit to":
            continue
        yield Relation(int(oid), schema, name, host_api.columns(int(oid)))


def _problem(table: Table, relation: Relation) -> str | None:
    """Why the relation cannot become a foreign table, or None."""
    if not relation.readable(_row(table)):
        return f"It has no column of a {'text' if _row(table).texts else 'vector'} type."
    if relation.id_column() is None:
        return 'It has no single-column primary key and no column "id".'
    return None


def _source_options(table: Table, relation: Relation) -> dict[str, str]:
    """The OPTIONS that name the relation, its ids, and what is read where there is one column of that."""
    row = _row(table)
    found = {
        row.relation: f"{quote(relation.schema)}.{quote(relation.name)}",
        row.id_column: relation.id_column() or "",
    }
    readable = relation.readable(row)
    if len(readable) == 1:
        found[row.column] = readable[0]
    return found


def _row(table: Table) -> SourceRow:
    """Where the tables that can be imported have their source; `_check` refuses all others."""
    assert table.source_row is not None
    return table.source_row


def _collations(relation: Relation) -> dict[str, str]:
    (names, collations), _, _ = host_api.select(COLLATIONS, ("text", "text"), args=(relation.oid,))
    return {name: f" COLLATE {collation}" for name, collation in zip(names, collations, strict=True)}


def _sql_type(
    relation: Relation,
    fixed: Mapping[str, str],
    column: Result | Parameter,
    parameter_type: Callable[[str], str],
) -> str:
    """The type of a declared column: that of the ids for ids, and our own type by its full name."""
    named_by, type_name = column.named_by if isinstance(column, Result) else column.id_of, column.type
    if named_by in fixed:
        id_type = next(c.type_name for c in relation.columns if c.name == fixed[named_by or ""])
        type_name = f"{id_type}[]" if column.type.endswith("[]") else id_type
    if isinstance(column, Parameter):
        type_name = parameter_type(type_name)
    if type_name != VECTOR_TYPE:
        return type_name
    (schemas,), _, _ = host_api.select(EXTENSION_SCHEMA, ("text",))
    return f"{quote(schemas[0])}.{VECTOR_TYPE}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
