"""The extension's control files and SQL scripts, made of the files in `sql/` and of the declarations.

Scripts that upgrade from one version to the next lie in `sql/` as they are; `sql/make.py` writes the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import ruattn_fdw
from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.functions import FUNCTIONS
from ruattn_fdw.functions.declaration import ANY_TYPES, PGVECTOR_TYPES, VECTOR_TYPES, Function
from ruattn_fdw.multicorn import calls, types
from ruattn_fdw.parameters import OPERATION
from ruattn_fdw.tables import TABLES

LIBRARY = "$libdir/ruattn_fdw"
HAND_WRITTEN = ("wrapper.sql", "type.sql", "operators.sql", "pool.sql", "index.sql", "weights.sql")

CONTROL = """\
comment = '{comment}'
default_version = '{version}'
module_pathname = '{library}'
relocatable = false
"""

GUARD = """\
-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\\echo Use "CREATE EXTENSION {name}" to load this file. \\quit
"""

TYPES_ARE_THEIRS = """
-- What these functions in C read must be the extensions' own types: schemas in the path may hold others.
DO $$
DECLARE
    wrong record;
BEGIN
    FOR wrong IN
        SELECT w.type, w.extension
        FROM (VALUES ('vector', 'vector'), ('halfvec', 'vector'), ('attention_vector', 'ruattn_fdw'))
             w(type, extension)
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid
              AND d.objid = pg_catalog.to_regtype(w.type)::oid AND d.deptype = 'e'
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass::oid
              AND e.extname = w.extension)
    LOOP
        RAISE wrong_object_type USING
            MESSAGE = pg_catalog.format('type "%s" is not that of extension %s', wrong.type, wrong.extension),
            HINT = 'Another type of that name is in the schema: name another SCHEMA for ruattn_fdw_pgvector.';
    END LOOP;
END $$;
"""


def write_extension(directory: Path) -> None:
    """Write control files and scripts of ruattn_fdw, ruattn_fdw_pgvector and ruattn_fdw_multicorn."""
    version = ruattn_fdw.__version__
    for name, comment, requires, check, script in (
        ("ruattn_fdw", "attention as virtual tables", "", "", main_script()),
        (
            "ruattn_fdw_pgvector",
            "pgvector columns as parameters of attention tables",
            "ruattn_fdw, vector",
            TYPES_ARE_THEIRS,
            pgvector_script(),
        ),
        (
            "ruattn_fdw_multicorn",
            "attention as virtual tables, on Multicorn2",
            "multicorn",
            "",
            multicorn_script(),
        ),
    ):
        control = CONTROL.format(comment=comment, version=version, library=LIBRARY)
        control += f"requires = '{requires}'\n" if requires else ""
        (directory / f"{name}.control").write_text(control, encoding="utf-8")
        (directory / f"{name}--{version}.sql").write_text(
            GUARD.format(name=name) + check + "\n" + script, encoding="utf-8"
        )
        for upgrade in (resources.files("ruattn_fdw") / "sql").iterdir():
            if upgrade.name.startswith(f"{name}--"):
                (directory / upgrade.name).write_text(upgrade.read_text(encoding="utf-8"), encoding="utf-8")


def main_script() -> str:
    """The script of ruattn_fdw: wrapper and type, then tables and functions from their declarations."""
    parts = [_sql_file(name) for name in HAND_WRITTEN]
    parts += [create_table(handler.declaration) for handler in TABLES.values()]
    parts += [create_function(function, VECTOR_TYPES) for function in FUNCTIONS.values()]
    return "\n".join(parts)


def pgvector_script() -> str:
    """The script of ruattn_fdw_pgvector."""
    overloads = [create_function(f, PGVECTOR_TYPES) for f in FUNCTIONS.values() if f.takes_vectors]
    return "\n".join([_sql_file("pgvector.sql"), *overloads])


def multicorn_script() -> str:
    """The script of ruattn_fdw_multicorn."""
    tables = [handler.declaration for handler in TABLES.values()]
    parts = [create_table(table, types.sql_type) for table in (*tables, calls.CALL)]
    for function in FUNCTIONS.values():
        if function.returns != calls.RECORD:
            in_leader = replace(function, parallel="RESTRICTED")
            parts.append(create_function(in_leader, VECTOR_TYPES, calls.ANY_TYPES, calls.body))
    return "\n".join([_sql_file("multicorn.sql"), *parts])


def create_table(
    table: Table, type_of: Callable[[Result | Parameter], str] = lambda column: column.type
) -> str:
    """CREATE FOREIGN TABLE with its comments; everybody may read it, since it reads as whoever asks.

    type_of: the SQL type that a column has on this host.
    """
    columns = ",\n".join(f"    {column.name} {type_of(column)}" for column in table.columns())
    lines = [
        f"CREATE FOREIGN TABLE {table.name} (\n{columns}\n)",
        f"SERVER ruattn OPTIONS ({OPERATION} '{table.name}');",
        f"COMMENT ON FOREIGN TABLE {table.name} IS {literal(table.help)};",
    ]
    lines += [
        f"COMMENT ON COLUMN {table.name}.{column.name} IS {literal(column.comment)};"
        for column in table.columns()
    ]
    lines.append(f"GRANT SELECT ON {table.name} TO PUBLIC;")
    return _paragraph(lines)


def _run_by_host(function: Function, types: Sequence[str]) -> str:
    """The bundled host finds what to run by the function's name."""
    return "AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C"


def create_function(
    function: Function,
    vector_types: Sequence[str],
    any_types: Sequence[str] = ANY_TYPES,
    body: Callable[[Function, Sequence[str]], str] = _run_by_host,
) -> str:
    """CREATE FUNCTION, one overload for each vector type where it takes vectors.

    body: the code and language of an overload, of its argument types.
    """
    overloads = vector_types if function.takes_vectors else any_types if function.takes_any else ("",)
    return _paragraph(
        line for vector in overloads for line in _overload(function, function.signature(vector), body)
    )


def _overload(
    function: Function, types: Sequence[str], body: Callable[[Function, Sequence[str]], str]
) -> list[str]:
    """One overload and its comment."""
    arguments = ", ".join(
        f"{argument.name} {type_name}" + (f" DEFAULT {argument.default}" if argument.default else "")
        for argument, type_name in zip(function.arguments, types, strict=True)
    )
    strict = " STRICT" if function.strict else ""
    labels = f"{function.volatility}{strict} PARALLEL {function.parallel} COST {function.cost}"
    rows = f" ROWS {function.rows}" if function.rows else ""
    signature = f"{function.name}({', '.join(types)})"
    return [
        f"CREATE FUNCTION {function.name}({arguments}) RETURNS {function.returns}",
        f"    {body(function, types)} {labels}{rows};",
        f"COMMENT ON FUNCTION {signature} IS {literal(function.help)};",
        *([] if function.public else [f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC;"]),
    ]


def literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _paragraph(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _sql_file(name: str) -> str:
    return (resources.files("ruattn_fdw") / "sql" / name).read_text(encoding="utf-8")
