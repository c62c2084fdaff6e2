"""A long session stays as small as it was, and a search takes no more memory than it may."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

WARM_UP, QUERIES = 200, 1000
GOOD = "SELECT * FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 2"
FAILING = [
    GOOD.replace("'documents'", "'nowhere'"),
    GOOD.replace("'documents'", "'divided'"),
    GOOD.replace("'documents'", "'ragged'"),
    GOOD.replace("{1,0}", "{1,0,0}"),
    f"{GOOD} AND attention_type = 'none such'",
    f"{GOOD} AND options = '{{\"none\": 1}}'",
    f"{GOOD} AND normaliser = '{{1}}'",
    f"{GOOD} AND k <> 1",
]
SOURCES = """
CREATE VIEW divided AS SELECT id / (id - 2) AS id, embedding FROM documents;
CREATE TABLE ragged AS SELECT id, CASE WHEN id = 3 THEN '{1}' ELSE embedding END AS embedding FROM documents;
"""


def resident(pid: int) -> int:
    """Resident memory in kB, without the pages of the server's shared memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssFile:")))


def contexts(db: Connection[Any]) -> int:
    """Bytes in the session's memory contexts, but for PostgreSQL's cache, which remembers dropped tables."""
    row = db.execute(
        "SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts WHERE name <> 'CacheMemoryContext'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def open_files(pid: int) -> int:
    """How many files are open, but for those of PostgreSQL's own tables and log, which it keeps a while."""
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum(not re.search(r"/(base/\d+|global|pg_wal|pg_xact)/", link) for link in links)


def check_flat(db: Connection[Any], step: Callable[[int], None]) -> None:
    """Run `step` many times: memory, contexts and open files stay as they are after the warm-up."""
    pid = db.info.backend_pid
    for number in range(WARM_UP):
        step(number)
    contexts(db)
    before, used, files = resident(pid), contexts(db), open_files(pid)
    for number in range(QUERIES):
        step(number)
    assert resident(pid) <= before * 1.05
    assert contexts(db) <= used + 16384
    assert open_files(pid) == files


@pytest.mark.slow
def test_a_thousand_searches(documents: Connection[Any]) -> None:
    # large enough that one leaked row set a query would show
    documents.execute(
        "INSERT INTO documents SELECT n, ARRAY[sin(n), cos(n)]::real[] FROM generate_series(10, 3000) n"
    )
    queries = [GOOD, f"{GOOD} AND k = 5", f"{GOOD} LIMIT 1", GOOD.replace("query = '{1,0}'", "query_id = 1")]
    check_flat(documents, lambda number: documents.execute(queries[number % len(queries)].encode()).close())


@pytest.mark.slow
def test_a_thousand_searches_that_fail(documents: Connection[Any]) -> None:
    documents.execute(SOURCES)

    def fail(number: int) -> None:
        with pytest.raises(psycopg.Error):
            documents.execute(FAILING[number % len(FAILING)].encode())

    check_flat(documents, fail)


@pytest.mark.slow
def test_a_thousand_searches_in_one_statement(documents: Connection[Any]) -> None:
    statement = (
        "SELECT count(*) FROM generate_series(1, 10) g, LATERAL"
        " (SELECT * FROM mha_search WHERE table_name = 'documents'"
        " AND num_heads = 1 AND query = ARRAY[g, 0] AND k = 2) s"
    )
    check_flat(documents, lambda _: documents.execute(statement.encode()).close())


@pytest.mark.slow
def test_a_thousand_functions_and_errors_inside_plpgsql(documents: Connection[Any]) -> None:
    documents.execute(SOURCES)
    statement = f"""
        DO $$ BEGIN
            PERFORM ruvector_attention_score('{{1,2}}', '{{3,4}}');
            BEGIN PERFORM * FROM ({FAILING[1]}) s; EXCEPTION WHEN division_by_zero THEN NULL; END;
            BEGIN PERFORM * FROM ({FAILING[3]}) s; EXCEPTION WHEN OTHERS THEN NULL; END;
        END $$
    """
    check_flat(documents, lambda _: documents.execute(statement.encode()).close())


@pytest.mark.slow
def test_a_thousand_errors_behind_large_values(documents: Connection[Any]) -> None:
    # a value that is wrong comes behind one of 40 kB, which must go with it
    large = "array_fill(1::real, ARRAY[10000])"
    failing = [
        f"SELECT ruvector_attention_scores({large}, '{{1,NULL}}'::real[])",
        f"SELECT id FROM mha_search WHERE table_name = 'documents' AND query = {large}"
        " AND candidates = '{1,NULL}'",
        f"SELECT attention_pool({large}, {large}, 'none such'::text) FROM generate_series(1, 2)",
    ]

    def fail(number: int) -> None:
        with pytest.raises(psycopg.Error):
            documents.execute(failing[number % len(failing)].encode())

    check_flat(documents, fail)


@pytest.mark.slow
def test_a_thousand_errors_in_one_transaction(documents: Connection[Any]) -> None:
    documents.execute(SOURCES)
    statement = f"""
        DO $$ BEGIN
            PERFORM * FROM ({FAILING[1]}) s;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END $$
    """
    with documents.transaction():
        check_flat(documents, lambda _: documents.execute(statement.encode()).close())


@pytest.mark.slow
def test_a_thousand_foreign_tables_one_after_the_other(documents: Connection[Any]) -> None:
    create = (
        "CREATE FOREIGN TABLE own (id int, query attention_vector) SERVER ruattn"
        " OPTIONS (operation 'mha_search', table_name 'documents', num_heads '1')"
    )

    def step(number: int) -> None:
        documents.execute(create.encode())
        documents.execute("SELECT id FROM own WHERE query = '{1,0}'")
        documents.execute("DROP FOREIGN TABLE own")

    check_flat(documents, step)


def test_a_search_beyond_max_memory_is_refused(documents: Connection[Any]) -> None:
    documents.execute(
        "CREATE TABLE large AS SELECT n AS id, array_fill(n::real, ARRAY[512]) AS v"
        " FROM generate_series(1, 2000) n"
    )
    search = GOOD.replace("'documents'", "'large'").replace("'{1,0}'", "array_fill(1::real, ARRAY[512])")
    documents.execute("SET ruattn_fdw.max_memory = '2MB'")
    with pytest.raises(psycopg.errors.OutOfMemory) as caught:
        documents.execute(search.encode())
    diag = caught.value.diag
    assert diag.sqlstate == "53200"
    assert diag.message_primary == "the rows of large.v need more than ruattn_fdw.max_memory = 2 MB"
    assert diag.message_hint is not None
    assert "ruattn_fdw.max_memory" in diag.message_hint
    assert len(documents.execute(f"{search} AND candidates = '{{1,2,3}}'".encode()).fetchall()) == 3
    documents.execute("SET ruattn_fdw.max_memory = '8MB'")
    assert len(documents.execute(search.encode()).fetchall()) == 2000
