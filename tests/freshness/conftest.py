"""A server of its own, which may be killed, with all that a step of a walk needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

sys.path.insert(0, str(Path(__file__).parent))

from checks import QUERY, Question
from primaries import primary_of
from tables import DOCS

Connection = psycopg.Connection[Any]
Agree = Callable[..., list[int]]


@pytest.fixture(scope="session")
def own_server(server: Server) -> Iterator[Server]:
    """A server for these tests only, with the extension in its template."""
    with primary_of(server) as running:
        yield running


@pytest.fixture
def database(own_server: Server, drop_database: Callable[[Connection, str], None]) -> Iterator[str]:
    """The name of a fresh database with the extension on the server of its own."""
    name = "freshness"
    with psycopg.connect(own_server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield name
    with psycopg.connect(own_server.uri(), autocommit=True) as connection:
        drop_database(connection, name)


@pytest.fixture
def connect(own_server: Server, database: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to the fresh database, autocommit unless told otherwise, and closes them all."""
    opened: list[Connection] = []

    def open_connection(**keywords: Any) -> Connection:
        opened.append(psycopg.connect(own_server.uri(database), **{"autocommit": True, **keywords}))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def agree() -> Agree:
    """Searches, asserts that plain SQL in the same statement says the same, and gives the ids, sorted."""

    def compare(session: Connection, table: str = "docs", column: str = "vec") -> list[int]:
        for question in (Question("mha_search", QUERY, 2), Question("mha_search", QUERY, 1, 5)):
            rows = session.execute(question.statement(table, table, column).encode()).fetchall()
            assert question.difference(rows) is None
        return sorted(row[1] for row in rows if not row[0] and row[5] is not None)

    return compare


@pytest.fixture(params=[None, "float32"])
def index(request: pytest.FixtureRequest) -> str | None:
    """The dtype of the attention index of `docs`, or None for none."""
    return request.param


@pytest.fixture
def docs(db: Connection, connect: Callable[..., Connection], agree: Agree, index: str | None) -> Connection:
    """A session with `docs`, 12 rows of 8 dimensions, which another session has searched before, twice."""
    db.execute(DOCS.encode())
    if index is not None:
        method = f"ruvector_attention (vec) INCLUDE (id) WITH (dtype = {index})"
        db.execute(f"CREATE INDEX ON docs USING {method}".encode())
    db.execute("VACUUM docs")
    other = connect()
    for _ in range(2):
        assert agree(other) == list(range(1, 13))
    return db
