"""A table with an attention index, and what the index holds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]


class Stats(NamedTuple):
    entries: int
    nulls: int
    dead: int
    blocks: int
    build: int | None
    epoch: int | None


def stats(connection: Connection, index: str = "attn") -> Stats:
    """What the index holds."""
    query = "SELECT * FROM ruvector_attention_index_stats(%s)"
    return Stats(*connection.execute(query, (index,)).fetchall()[0])


def problems(connection: Connection, index: str = "attn") -> list[str]:
    """What is wrong with the index."""
    query = "SELECT problem FROM ruvector_attention_index_check(%s) ORDER BY place, problem"
    return [row[0] for row in connection.execute(query, (index,)).fetchall()]


@pytest.fixture
def documents(db: Connection) -> Connection:
    """A connection to a database with 3,000 rows, every tenth without a vector, and the index attn."""
    db.execute("CREATE TABLE documents (id int, note int, embedding real[])")
    db.execute(
        "INSERT INTO documents SELECT i, 0, CASE WHEN i % 10 > 0 THEN ARRAY[i, 1, 2, 3] END"
        " FROM generate_series(1, 3000) i"
    )
    db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding) INCLUDE (id)")
    return db


@pytest.fixture
def own_server(server: Server) -> Iterator[Server]:
    """A running server of the test's own, with the extension, that it may crash."""
    own = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), server.installation, server.variables)
    own.start({"autovacuum": "off", "fsync": "off", "wal_consistency_checking": "generic"})
    with psycopg.connect(own.uri(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION ruattn_fdw")
    yield own
    own.stop()
    shutil.rmtree(own.data, ignore_errors=True)
