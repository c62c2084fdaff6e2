"""A warm answer belongs to one relation and column, whatever else is called like them."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

SEARCH = "SELECT id FROM mha_search WHERE table_name = %s AND query = '{1,0.5}' AND num_heads = 1"
NAMES = (
    "a", "A", 'quo"te', "dot.ted", "semi;colon", "apo'strophe", "select", "user", "größe", "数据", " ", "--",
    "pg_temp", "x" * 63, "ü" * 31, "$$", "\\", "%s", "{}", "e\u0301", "\u00e9",
)  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def found(session: Connection, table: str, clauses: str = "") -> list[int]:
    """The ids that a search finds, sorted; asked twice, the second time warm."""
    answers = [session.execute(f"{SEARCH}{clauses}".encode(), [table]).fetchall() for _ in range(2)]
    assert answers[0] == answers[1]
    return sorted(row[0] for row in answers[0])


def test_tables_of_every_name(db: Connection) -> None:
    for number, name in enumerate(NAMES):
        db.execute(
            f"CREATE TABLE {quoted(name)} AS SELECT {number} AS id, '{{1,{number}}}'::real[] AS v".encode()
        )
    for _ in range(2):
        for number, name in enumerate(NAMES):
            assert found(db, quoted(name)) == [number]


def test_columns_of_every_name(db: Connection) -> None:
    columns = ", ".join(f"'{{1,{number}}}'::real[] AS {quoted(name)}" for number, name in enumerate(NAMES))
    db.execute(f"CREATE TABLE many AS SELECT 1 AS id, {columns}".encode())
    logit = "SELECT logit FROM mha_search WHERE table_name = 'many' AND query = '{0,1}' AND num_heads = 1"
    for _ in range(2):
        for number, name in enumerate(NAMES):
            row = db.execute(f"{logit} AND vector_column = %s".encode(), [name]).fetchone()
            assert row is not None
            assert row[0] == pytest.approx(number / 2**0.5)


def test_one_name_in_several_schemas(db: Connection, connect: Connect) -> None:
    db.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    for number, schema in enumerate(("public", "one", "two")):
        db.execute(f"CREATE TABLE {schema}.docs AS SELECT {number} AS id, '{{1,2}}'::real[] AS v".encode())
        assert found(db, f"{schema}.docs") == [number]
    other = connect()
    for session in (db, other, db):
        for path, wanted in (("public", 0), ("one, public", 1), ("two, one, public", 2), ("public, one", 0)):
            session.execute(f"SET search_path = {path}".encode())
            session.execute(
                "SELECT set_config('search_path', current_setting('search_path') || ', public', false)"
            )
            assert found(session, "docs") == [wanted]
        session.execute("RESET search_path")


def test_a_table_that_comes_earlier_in_the_path(db: Connection) -> None:
    db.execute("CREATE SCHEMA early; SET search_path = early, public")
    db.execute("CREATE TABLE public.docs AS SELECT 1 AS id, '{1,2}'::real[] AS v")
    assert found(db, "docs") == [1]
    db.execute("CREATE TABLE early.docs AS SELECT 2 AS id, '{1,2}'::real[] AS v")
    assert found(db, "docs") == [2]
    db.execute("CREATE TEMP TABLE docs AS SELECT 3 AS id, '{1,2}'::real[] AS v")
    assert found(db, "docs") == [3]
    db.execute("DROP TABLE pg_temp.docs; DROP TABLE early.docs")
    assert found(db, "docs") == [1]


def test_other_columns_of_ids_for_one_warm_column(db: Connection) -> None:
    db.execute("""
        CREATE TABLE docs AS
        SELECT i AS id, 100 + i AS big, (200 + i)::smallint AS small, ARRAY[1, i]::real[] AS v
        FROM generate_series(1, 3) i
    """)
    for _ in range(2):
        for column, base in (("id", 0), ("big", 100), ("small", 200)):
            assert found(db, "docs", f" AND id_column = '{column}'") == [base + 1, base + 2, base + 3]
    db.execute("UPDATE docs SET big = big + 7")
    assert found(db, "docs", " AND id_column = 'big'") == [108, 109, 110]


TROJAN = "RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trojan''; END'"
TROJANS = (
    "pg_relation_filenode(regclass)",
    "pg_table_is_visible(oid)",
    "has_column_privilege(oid, text, text)",
    "pg_partition_tree(regclass)",
    "array_length(anyarray, int)",
    "current_setting(text)",
)


def test_trojan_functions_and_operators(db: Connection) -> None:
    """Whatever the path puts before pg_catalog, in each state of the answer."""
    db.execute("""
        CREATE TABLE docs (id int PRIMARY KEY, v real[]);
        INSERT INTO docs VALUES (1, '{1,2}'), (2, '{2,1}');
        CREATE VIEW found AS
            SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,0.5}' AND num_heads = 1;
        CREATE SCHEMA trojan; CREATE TABLE trojan.pg_class (oid oid, relname name);
        CREATE TABLE trojan.pg_index (indexrelid oid, indrelid oid)
    """)
    for kind in ("oid", "name", "text", "tid", "xid", "bigint", "integer", "boolean"):
        operator = f"CREATE OPERATOR trojan.= (FUNCTION = trojan.equal, LEFTARG = {kind}, RIGHTARG = {kind})"
        db.execute(f"CREATE FUNCTION trojan.equal({kind}, {kind}) {TROJAN}; {operator}".encode())
    for name in TROJANS:
        db.execute(f"CREATE FUNCTION trojan.{name} {TROJAN}".encode())
    db.execute("SET search_path = trojan, pg_catalog, public")
    for statement in ("SELECT", "UPDATE docs SET v = '{3,3}'", "VACUUM docs", "DELETE FROM docs"):
        db.execute(statement.encode())
        for _ in range(2):
            assert db.execute("SELECT FROM found").rowcount == 2 * (statement != "DELETE FROM docs")
