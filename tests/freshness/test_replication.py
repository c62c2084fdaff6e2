"""Rows that logical replication applies are seen as any others."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Agree = Callable[..., list[int]]

CHANGES = (
    "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id % 2 = 0",
    "DELETE FROM docs WHERE id > 9",
    "UPDATE docs SET id = 50 WHERE id = 4",
    "TRUNCATE docs; INSERT INTO docs (id, vec) VALUES (60, '{8,7,6,5,4,3,2,1}')",
)


@pytest.fixture
def subscriber(own_server: Server, docs: Connection, database: str) -> Iterator[Connection]:
    """A session on another database, to which `docs` is replicated."""
    docs.execute("ALTER TABLE docs REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE docs")
    docs.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
    with psycopg.connect(own_server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE subscriber")
        session = psycopg.connect(own_server.uri("subscriber"), autocommit=True)
        session.execute("CREATE TABLE docs (id int, place int, note text DEFAULT '', vec real[])")
        session.execute(
            f"CREATE SUBSCRIPTION s CONNECTION '{own_server.uri(database)}' PUBLICATION p "
            "WITH (create_slot = false, slot_name = 's')".encode()
        )
        yield session
        session.execute("DROP SUBSCRIPTION s")
        session.close()
        admin.execute("DROP DATABASE subscriber WITH (FORCE)")


def test_applied_rows(docs: Connection, subscriber: Connection, agree: Agree) -> None:
    rows = "SELECT id, vec FROM docs ORDER BY id"
    for change in ("SELECT", *CHANGES):
        docs.execute(change.encode())
        docs.execute("SET synchronous_commit = on; CREATE TABLE flush (); DROP TABLE flush")
        deadline = time.monotonic() + 20
        while subscriber.execute(rows.encode()).fetchall() != docs.execute(rows.encode()).fetchall():
            assert time.monotonic() < deadline, change
            agree(subscriber)
            time.sleep(0.01)
        assert agree(subscriber) == agree(docs)
