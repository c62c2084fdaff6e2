"""A table of vectors, and what the operating system knows of a session's server process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]


@pytest.fixture
def documents(db: Connection) -> Connection:
    """A connection to a database with the table `documents`: nearest to {1,0} are 1, 3, 2."""
    db.execute("CREATE TABLE documents (id int PRIMARY KEY, embedding real[])")
    db.execute("INSERT INTO documents VALUES (1, '{1,0}'), (2, '{0,1}'), (3, '{0.6,0.8}')")
    return db


@pytest.fixture
def search() -> Callable[..., list[int]]:
    """Gives the ids of a search for {1,0} in their order of arrival."""

    def run(connection: Connection, table: str = "documents", clauses: str = "") -> list[int]:
        statement = "SELECT id FROM mha_search WHERE table_name = %s AND query = '{1,0}' AND num_heads = 1"
        return [row[0] for row in connection.execute(f"{statement}{clauses}".encode(), [table])]

    return run


@pytest.fixture
def reader(documents: Connection, connect: Callable[..., Connection]) -> Iterator[Connection]:
    """A session of a role that owns nothing."""
    documents.execute("CREATE ROLE ruattn_reader LOGIN")
    session = connect(user="ruattn_reader")
    yield session
    session.close()
    documents.execute("DROP OWNED BY ruattn_reader; DROP ROLE ruattn_reader")
