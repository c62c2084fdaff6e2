"""A search ends when it is cancelled, and the session goes on."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

SMALL = "SELECT count(*) FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND num_heads = 1"
BIG = "SELECT count(*) FROM cross_attention WHERE query_table = 'many' AND document_table = 'many'"


@pytest.mark.parametrize("times", [1, 2])
def test_a_timeout_ends_a_computation_and_leaves_the_session(documents: Connection, times: int) -> None:
    documents.execute("""
        CREATE TABLE many AS SELECT i AS id, array_agg(sin(i * j)::real) AS v
        FROM generate_series(1, 4000) i, generate_series(1, 64) j GROUP BY i
    """)
    for _ in range(times):
        documents.execute("SET statement_timeout = '500ms'")
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            documents.execute(BIG.encode())
        assert time.monotonic() - started < 1.5
        documents.execute("RESET statement_timeout")
        assert documents.execute(SMALL.encode()).fetchall() == [(12,)]


def test_a_timeout_ends_a_read_that_waits(documents: Connection, connect: Any) -> None:
    documents.execute("SET statement_timeout = '200ms'")
    other = connect()
    with other.transaction():
        other.execute("LOCK TABLE documents")
        with pytest.raises(psycopg.errors.QueryCanceled):
            documents.execute(SMALL.encode())
    documents.execute("RESET statement_timeout")
    assert documents.execute(SMALL.encode()).fetchall() == [(12,)]
