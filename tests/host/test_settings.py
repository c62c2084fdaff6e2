from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Search = Callable[..., list[int]]
Failure = Callable[..., psycopg.Error]
Connect = Callable[..., Connection[Any]]


def test_what_pg_settings_says(documents: Connection[Any], search: Search) -> None:
    search(documents)
    rows = documents.execute(
        "SELECT name, unit, context, vartype, boot_val, min_val, max_val FROM pg_settings"
        " WHERE name LIKE 'ruattn_fdw.%' AND name <> 'ruattn_fdw.python' ORDER BY name"
    ).fetchall()
    assert rows == [
        ("ruattn_fdw.cache_size", "MB", "superuser", "integer", "8192", "0", "2147483647"),
        ("ruattn_fdw.features", None, "superuser", "string", "all", None, None),
        ("ruattn_fdw.max_memory", "kB", "superuser", "integer", "1048576", "1024", "2147483647"),
        ("ruattn_fdw.rerank_models", None, "superuser", "string", "", None, None),
        ("ruattn_fdw.threads", None, "user", "integer", "1", "1", "256"),
    ]
    rows = documents.execute(
        "SELECT context, vartype, setting = boot_val FROM pg_settings WHERE name = 'ruattn_fdw.python'"
    ).fetchall()
    assert rows == [("superuser", "string", True)]
    described = documents.execute(
        "SELECT bool_and(short_desc <> '') FROM pg_settings WHERE name LIKE 'ruattn_fdw.%'"
    )
    assert described.fetchall() == [(True,)]


def test_who_may_set_what(documents: Connection[Any], search: Search, failure: Failure) -> None:
    search(documents)
    documents.execute("SET ROLE pg_monitor; SET ruattn_fdw.threads = 2")
    for setting in ("max_memory = '2GB'", "features = 'all'", "python = '/usr/bin/python3'"):
        assert failure(documents, f"SET ruattn_fdw.{setting}").sqlstate == "42501"
    documents.execute("RESET ROLE")
    for setting, sqlstate in {
        "threads = 0": "22023",
        "threads = 257": "22023",
        "max_memory = '1kB'": "22023",
        "thread = 2": "42602",
    }.items():
        assert failure(documents, f"SET ruattn_fdw.{setting}").sqlstate == sqlstate, setting


def test_a_setting_before_the_first_search_counts(
    documents: Connection[Any], connect: Connect, search: Search, failure: Failure
) -> None:
    session = connect(options="-c ruattn_fdw.max_memory=1MB -c ruattn_fdw.threads=2")
    documents.execute(
        "CREATE TABLE large AS SELECT n AS id, array_fill(n::real, ARRAY[512]) AS v"
        " FROM generate_series(1, 2000) n"
    )
    assert search(session) == [1, 3, 2]
    assert session.execute("SHOW ruattn_fdw.threads").fetchall() == [("2",)]
    statement = "SELECT FROM mha_search WHERE table_name = 'large' AND query_id = 1"
    assert failure(session, statement).sqlstate == "53200"


@pytest.mark.starts_python
@pytest.mark.parametrize("value", ["2000000", "nonsense"])
@pytest.mark.parametrize("name", ["max_memory", "cache_size"])
def test_an_option_of_an_ordinary_login_does_not_bring_a_default_back(
    documents: Connection[Any], connect: Connect, search: Search, name: str, value: str
) -> None:
    documents.execute(f"ALTER DATABASE test SET ruattn_fdw.{name} = '8MB'".encode())
    documents.execute("CREATE ROLE ruattn_user LOGIN; GRANT SELECT ON documents TO ruattn_user")
    try:
        session = connect(user="ruattn_user", options=f"-c ruattn_fdw.{name}={value}")
        with pytest.raises(psycopg.errors.CantChangeRuntimeParam) as caught:
            search(session)
        assert caught.value.diag.message_primary == f"the value given for ruattn_fdw.{name} was refused"
        assert session.closed
        session = connect(user="ruattn_user")
        assert search(session) == [1, 3, 2]
        assert session.execute(f"SHOW ruattn_fdw.{name}".encode()).fetchall() == [("8MB",)]
        session.close()
    finally:
        documents.execute("DROP OWNED BY ruattn_user; DROP ROLE ruattn_user")


@pytest.mark.parametrize("mechanism", ["scaled_dot", "multi_head", "flash_v2", "cosine"])
def test_threads_do_not_change_the_numbers(documents: Connection[Any], mechanism: str) -> None:
    documents.execute("""
        CREATE TABLE many AS
        SELECT n AS id, (SELECT array_agg(sin(n * 64 + d)::real) FROM generate_series(1, 64) d) AS v
        FROM generate_series(1, 5000) n
    """)
    query = (
        "SELECT id, score FROM mha_search WHERE table_name = 'many' AND query_id = 1"
        " AND attention_type = %s AND num_heads = 8"
    )
    answers = []
    for threads in (1, 2, 3, 1):
        documents.execute(f"SET ruattn_fdw.threads = {threads}".encode())
        answers.append(documents.execute(query, [mechanism]).fetchall())
    assert [row[0] for row in answers[1][:100]] == [row[0] for row in answers[0][:100]]
    for answer in answers[1:]:
        assert dict(answer) == pytest.approx(dict(answers[0]), rel=1e-6)


@pytest.mark.starts_python
def test_an_interpreter_that_is_not_there(
    documents: Connection[Any], connect: Connect, search: Search, failure: Failure
) -> None:
    session = connect()
    statement = "SELECT FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"
    for path in ("/no/such/python3", ""):
        session.execute(f"SET ruattn_fdw.python = '{path}'".encode())
        error = failure(session, statement)
        assert error.sqlstate == "F0000"
        assert f'cannot run the interpreter "{path}"' in str(error.diag.message_primary)
        assert "ruattn doctor" in str(error.diag.message_hint)
    session.execute("RESET ruattn_fdw.python")
    assert search(session) == [1, 3, 2]


@pytest.mark.starts_python
def test_an_interpreter_without_the_package(
    connect: Connect, documents: Connection[Any], failure: Failure
) -> None:
    session = connect()
    session.execute("SET ruattn_fdw.python = '/usr/bin/env'")
    error = failure(
        session, "SELECT FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"
    )
    assert "ruattn_fdw" in str(error.diag.message_primary)
    assert session.execute("SELECT 1").fetchall() == [(1,)]
