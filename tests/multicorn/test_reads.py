"""Which rows a search sees: committed ones, of one snapshot a statement, over one connection a role."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

COUNT = "SELECT count(*) FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND num_heads = 1"
INSERT = "INSERT INTO documents SELECT max(id) + 1, '{1,0,0,0}' FROM documents"


def count(connection: Connection, query: str = COUNT) -> int:
    found: int = connection.execute(query.encode()).fetchall()[0][0]
    return found


def test_rows_are_seen_once_they_are_committed(documents: Connection) -> None:
    with documents.transaction():
        documents.execute(INSERT.encode())
        assert count(documents) == 12
    assert count(documents) == 13


def test_each_statement_of_a_transaction_sees_what_is_new(
    documents: Connection, connect: Callable[..., Connection]
) -> None:
    other = connect()
    with documents.transaction():
        assert count(documents) == 12
        other.execute(INSERT.encode())
        assert count(documents) == 13


def test_repeatable_read_keeps_its_snapshot(
    documents: Connection, connect: Callable[..., Connection]
) -> None:
    other = connect()
    with documents.transaction():
        documents.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert count(documents) == 12
        other.execute(INSERT.encode())
        assert count(documents) == 12
    assert count(documents) == 13


def test_all_searches_of_a_statement_see_the_same_rows(
    documents: Connection, connect: Callable[..., Connection]
) -> None:
    other = connect()
    writer = threading.Thread(target=lambda: (time.sleep(0.3), other.execute(INSERT.encode())))
    writer.start()
    twice = f"""
        WITH a AS MATERIALIZED (SELECT count(*) AS n, pg_sleep(0) FROM ({COUNT}) c),
             b AS MATERIALIZED (SELECT n, pg_sleep(0.6) FROM a),
             c AS MATERIALIZED (SELECT b.n, s.m FROM b, LATERAL (
                 SELECT count(*) AS m FROM mha_search
                 WHERE table_name = 'documents' AND query_id = b.n AND num_heads = 1) s)
        SELECT m FROM c
    """
    assert count(documents, twice) == 12
    writer.join()
    assert count(documents) == 13


def test_an_error_is_over_with_its_statement(documents: Connection) -> None:
    documents.execute("INSERT INTO documents VALUES (13, '{1,NULL,0,0}')")
    with pytest.raises(psycopg.errors.NullValueNotAllowed):
        count(documents)
    documents.execute("DELETE FROM documents WHERE id = 13")
    assert count(documents) == 12


def test_a_role_reads_over_one_connection(documents: Connection) -> None:
    for _ in range(3):
        count(documents)
        documents.execute(
            "SELECT * FROM cross_attention WHERE query_table = 'documents' AND document_table = 'documents'"
        )
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ruattn_fdw' AND datname = 'test'"
    )
    assert count(documents, sessions) == 1


def test_a_connection_that_was_ended_is_made_anew(documents: Connection) -> None:
    assert count(documents) == 12
    documents.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ruattn_fdw'"
    )
    assert count(documents) == 12


def test_a_table_that_the_caller_has_locked_himself_is_no_wait_for_ever(documents: Connection) -> None:
    documents.execute("SET lock_timeout = '100ms'; BEGIN; LOCK TABLE documents")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        count(documents)
    documents.execute("ROLLBACK")
    assert count(documents) == 12


def test_a_source_that_reads_itself_is_an_error(documents: Connection) -> None:
    documents.execute(
        "CREATE TABLE seed AS SELECT * FROM documents; CREATE VIEW itself AS SELECT id, embedding FROM seed"
    )
    documents.execute("""
        CREATE OR REPLACE VIEW itself AS
        SELECT d.id, d.embedding FROM seed d
        WHERE EXISTS (SELECT FROM mha_search
                      WHERE table_name = 'itself' AND query = '{1,0,0,0}' AND num_heads = 1)
    """)
    with pytest.raises(psycopg.errors.StatementTooComplex, match="8 searches deep"):
        count(documents, COUNT.replace("'documents'", "'itself'"))
    assert count(documents) == 12
