"""What tells of copies and of statistics says that there are none, though another database has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND num_heads = 1"


@pytest.fixture
def bundled(server: Server) -> Iterator[Connection]:
    """Another database of the server, which uses the bundled host."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE bundled")
        with psycopg.connect(server.uri("bundled"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION ruattn_fdw")
            yield connection
        admin.execute("DROP DATABASE bundled WITH (FORCE)")


def test_an_index_of_another_database_is_not_listed(db: Connection, bundled: Connection) -> None:
    rows = "SELECT i AS id, '{1,2}'::real[] AS v FROM generate_series(1, 9) i"
    bundled.execute(f"CREATE TABLE documents AS {rows}".encode())
    bundled.execute("CREATE INDEX ON documents USING ruvector_attention (v) INCLUDE (id)")
    bundled.execute(SEARCH.encode())
    assert bundled.execute("SELECT state FROM attention_indexes").fetchall() == [("warm",)]
    assert db.execute("SELECT * FROM attention_indexes").fetchall() == []


@pytest.mark.parametrize("query", ["SELECT * FROM attention_stats", "SELECT attention_stats_reset()"])
def test_statistics_are_an_error(db: Connection, failure: Callable[..., Any], query: str) -> None:
    error = failure(db, query)
    assert error.sqlstate == "0A000"
    assert error.diag.message_primary == "there are no statistics of searches here"
    assert error.diag.message_hint == "The extension ruattn_fdw, of the bundled host, keeps them."


def test_nothing_is_there_to_mend(db: Connection) -> None:
    assert db.execute("SELECT item FROM ruattn_diag() WHERE NOT ok").fetchall() == []
    assert db.execute("SELECT value FROM ruattn_diag() WHERE item = 'copies'").fetchall() == [
        ("none: the host is Multicorn2",)
    ]


def test_a_temporary_table_is_not_proposed(db: Connection, failure: Callable[..., Any]) -> None:
    db.execute("CREATE TEMP TABLE documents (id integer PRIMARY KEY, v real[])")
    error = failure(db, SEARCH)
    assert error.diag.message_primary == 'relation "documents" does not exist'
    assert "pg_temp" not in error.diag.message_hint
