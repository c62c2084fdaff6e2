"""A fresh database with the extension for each test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.hosts import BUNDLED, Committing, Host, empty
from tests.plugins.servers import TEMPLATE

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="session")
def drop_database() -> Callable[[Connection, str], None]:
    """Drops a database, ending the sessions that are still in it."""

    def drop(admin: Connection, name: str) -> None:
        # DROP looks every 100 ms whether a session that was just closed is gone, which takes a few ms
        deadline = time.monotonic() + 0.1
        while admin.execute("SELECT FROM pg_stat_activity WHERE datname = %s", [name]).rowcount:
            if time.monotonic() > deadline:
                break
            time.sleep(0.001)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    return drop


@pytest.fixture(scope="session")
def lasting(server: Server, fdw_host: Host) -> Iterator[Connection | None]:
    """Where a session's first search costs much, the connection of all tests, to the database `test`."""
    if fdw_host is BUNDLED:
        yield None
        return
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE test TEMPLATE {TEMPLATE}".encode())
    with Committing.connect(server.uri("test"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def database(
    server: Server, drop_database: Callable[[Connection, str], None], lasting: Connection | None
) -> Iterator[str]:
    """The name of a fresh database with the extension."""
    name = "test"
    if lasting is not None:
        yield name
        empty(lasting)
        return
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
        yield name
        drop_database(connection, name)


@pytest.fixture
def connect(server: Server, database: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to the fresh database, autocommit unless told otherwise, and closes them all."""
    opened: list[Connection] = []

    def open_connection(**keywords: Any) -> Connection:
        opened.append(psycopg.connect(server.uri(database), **{"autocommit": True, **keywords}))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Callable[..., Connection], lasting: Connection | None) -> Connection:
    """An autocommit connection to a fresh database with the extension."""
    return connect() if lasting is None else lasting


@pytest.fixture
def failure() -> Callable[..., psycopg.Error]:
    """Runs a statement that must fail and gives its error."""

    def run(connection: Connection, statement: str, *values: Any) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement.encode(), values or None)
        return caught.value

    return run


BIG = """
CREATE TABLE big AS
SELECT row_number() OVER () AS id, v
FROM (SELECT array_agg(sin(n * 64 + d)::real) AS v
      FROM generate_series(1, 1000) n, generate_series(1, 64) d GROUP BY n) s,
     generate_series(1, 400)
"""


@pytest.fixture(scope="module")
def big(server: Server) -> Iterator[str]:
    """The URI of a database with `big`, 400,000 rows: its search takes long enough to be hit anywhere."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE big TEMPLATE ruattn_template")
        with psycopg.connect(server.uri("big"), autocommit=True) as connection:
            connection.execute(BIG)
        yield server.uri("big")
        admin.execute("DROP DATABASE big WITH (FORCE)")
