"""The extension as a catalogue citizen: comments, ownership of its objects, DROP, dump and restore."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from ruattn_fdw.tables import TABLES
from tests.hosts import Host

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

CATALOGUES = (
    "pg_class", "pg_type", "pg_proc", "pg_operator", "pg_opclass", "pg_opfamily", "pg_amop", "pg_amproc",
    "pg_cast", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_foreign_table", "pg_attribute", "pg_am",
    "pg_aggregate", "pg_rewrite", "pg_description", "pg_depend", "pg_shdepend", "pg_init_privs",
)  # fmt: skip
MEMBERS = """
SELECT (pg_identify_object(classid, objid, 0)).type, (pg_identify_object(classid, objid, 0)).identity,
       obj_description(objid, classid::regclass::name)
FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = %s)
  AND objid NOT IN (SELECT oid FROM pg_type WHERE typrelid <> 0 OR typcategory = 'A')
"""


def counts(connection: Connection) -> dict[str, int]:
    return {
        name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchall()[0][0]
        for name in CATALOGUES
    }


def without_comment(rows: Callable[..., Rows], extension: str, number: int) -> Rows:
    """The members that have no comment, and the extension if it has none, of more than `number` in all."""
    comment = "SELECT extname, obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = %s"
    members = rows(MEMBERS, extension) + rows(comment, extension)
    assert len(members) > number
    return [member for member in members if not member[-1]]


def test_every_object_has_a_comment(rows: Callable[..., Rows], fdw_host: Host) -> None:
    assert without_comment(rows, fdw_host.extension, 40) == []


@pytest.mark.usefixtures("pgvector")
def test_every_object_of_the_companion_has_a_comment(
    documents: Connection, rows: Callable[..., Rows]
) -> None:
    documents.execute("CREATE EXTENSION ruattn_fdw_pgvector CASCADE")
    assert without_comment(rows, "ruattn_fdw_pgvector", 12) == []


def test_every_column_says_whether_it_is_a_result_or_a_parameter(rows: Callable[..., Rows]) -> None:
    form = re.compile(
        r"RESULT: \S.*[^.]|PARAMETER \((required|optional|one of [\w, ]+|default:? .+)\): \S.*[^.]"
    )
    found = rows(
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a"
        " ON a.attrelid = c.oid WHERE c.relkind = 'f' AND a.attnum > 0 ORDER BY c.relname, a.attnum"
    )
    assert {table for table, _, _ in found} - {"ruattn_call"} == set(TABLES)
    assert [row for row in found if not form.fullmatch(row[2] or "")] == []
    comments = {(table, column): comment for table, column, comment in found}
    assert comments["mha_search", "table_name"].startswith("PARAMETER (required): ")
    assert comments["mha_search", "score"].startswith("RESULT: ")


def test_a_drop_leaves_nothing_behind(documents: Connection, fdw_host: Host) -> None:
    drop = f"DROP EXTENSION {fdw_host.extension}".encode()
    documents.execute(drop)
    before = counts(documents)
    documents.execute(fdw_host.create.encode())
    with_it = counts(documents)
    assert with_it["pg_proc"] > before["pg_proc"]
    documents.execute(drop)
    assert counts(documents) == before


def test_it_can_be_created_in_a_schema_of_choice(
    documents: Connection, rows: Callable[..., Rows], fdw_host: Host
) -> None:
    documents.execute(f"DROP EXTENSION {fdw_host.extension}".encode())
    documents.execute("CREATE SCHEMA attn")
    documents.execute(f"CREATE EXTENSION {fdw_host.extension} SCHEMA attn".encode())
    vector = "(SELECT embedding FROM public.documents WHERE id = 1)"
    assert rows(
        "SELECT id FROM attn.mha_search WHERE table_name = 'public.documents' AND query_id = 1 AND k = 1"
    ) == [(1,)]
    documents.execute("SET LOCAL search_path = attn, public")
    assert rows(
        f"SELECT id FROM mha_search WHERE table_name = 'documents' AND query = {vector} AND k = 1"
    ) == [(1,)]
    assert rows(
        "SELECT id FROM mha_search WHERE table_name = 'documents' AND query IN ('[1,0,0,0,0,0,0,0]')"
        " AND k = 1"
    )


def test_what_uses_it_keeps_it_from_being_dropped(
    documents: Connection, failure: Callable[..., Any], fdw_host: Host
) -> None:
    documents.execute(
        "CREATE VIEW found AS SELECT id FROM mha_search WHERE table_name = 'documents' AND query_id = 1"
    )
    assert failure(f"DROP EXTENSION {fdw_host.extension}").sqlstate == "2BP01"
    assert failure("DROP FOREIGN TABLE mha_search").sqlstate == "2BP01"
    documents.execute("DROP VIEW found")
    assert failure("DROP FOREIGN TABLE mha_search").message_primary.endswith(
        f"because extension {fdw_host.extension} requires it"
    )
    documents.execute("CREATE TABLE kept (v attention_vector)")
    assert failure(f"DROP EXTENSION {fdw_host.extension}").sqlstate == "2BP01"


USES = """
CREATE TABLE documents (id int PRIMARY KEY, embedding real[]);
INSERT INTO documents SELECT i, ARRAY[cos(i), sin(i)] FROM generate_series(1, 9) i;
CREATE TABLE questions (id int, asked attention_vector DEFAULT '[1, 0]', UNIQUE (asked));
INSERT INTO questions VALUES (1, '[0.1, -2]'), (2, NULL);
CREATE INDEX ON questions USING hash (asked);
CREATE FOREIGN TABLE own_search (id bigint, score real, query attention_vector, k integer)
    SERVER ruattn OPTIONS (operation 'mha_search', table_name 'public.documents', num_heads '2');
COMMENT ON COLUMN own_search.query IS 'asked';
CREATE VIEW best AS SELECT q.id, s.id AS found, s.score FROM questions q, own_search s
    WHERE s.query = q.asked AND s.k = 3;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM best;
CREATE FUNCTION nearest(v attention_vector) RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT id FROM own_search WHERE query = v AND k = 1; END;
"""


@pytest.mark.bundled
def test_a_database_that_uses_it_survives_dump_and_restore(
    server: Server, database: str, db: Connection
) -> None:
    db.execute(USES)
    before = state(db)
    db.execute("CREATE DATABASE restored TEMPLATE template0")
    try:
        dump = run(server, "pg_dump", server.uri(database))
        assert "FOREIGN TABLE public.mha_search" not in dump, "members of an extension are not dumped"
        run(server, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", server.uri("restored"), text=dump)
        with psycopg.connect(server.uri("restored"), autocommit=True) as restored:
            assert state(restored) == before
        again = run(server, "pg_dump", server.uri("restored"))
        assert without_token(again) == without_token(dump)
    finally:
        db.execute("DROP DATABASE restored WITH (FORCE)")


def run(server: Server, program: str, *arguments: str, text: str | None = None) -> str:
    command = [server.installation.program(program), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_token(dump: str) -> str:
    r"""The dump less its \restrict lines, whose token differs from run to run."""
    return "\n".join(
        line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


def state(connection: Connection) -> list[Rows]:
    return [
        connection.execute(query.encode()).fetchall()
        for query in (
            "SELECT id, asked::text FROM questions ORDER BY id",
            "SELECT * FROM best ORDER BY score DESC",
            "SELECT * FROM kept",
            "SELECT nearest('[0, 1]')",
        )
    ]
