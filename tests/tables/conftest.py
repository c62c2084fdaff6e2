"""A database with a small table of vectors, made once for each module; what a test does is rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import Diagnostic

from ruattn_fdw.server.server import Server
from tests.hosts import BUNDLED, Host

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

# unit circles at four speeds, so that every row is nearest to itself and no two rows tie
DOCUMENTS = """
CREATE TABLE documents (id integer PRIMARY KEY, title text NOT NULL, embedding real[]);
INSERT INTO documents
SELECT i, 'document ' || i,
       ARRAY[cos(i), sin(i), cos(2*i), sin(2*i), cos(3*i), sin(3*i), cos(4*i), sin(4*i)]::real[]
FROM generate_series(1, 12) i;
ANALYZE documents;
"""


@pytest.fixture(scope="module")
def documents_database(server: Server) -> Iterator[Connection]:
    """A connection to a database with `documents`: 12 rows of 8 dimensions."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE documents TEMPLATE ruattn_template")
        with psycopg.connect(server.uri("documents"), autocommit=True, prepare_threshold=None) as connection:
            connection.execute(DOCUMENTS)
            yield connection
        admin.execute("DROP DATABASE documents WITH (FORCE)")


@pytest.fixture
def rolled_back(documents_database: Connection) -> Iterator[Connection]:
    """The module's database in a transaction that is rolled back."""
    with documents_database.transaction(force_rollback=True):
        yield documents_database


@pytest.fixture
def committed(db: Connection) -> Connection:
    """A database of the test's own with the same table, for a host that reads over another connection."""
    db.execute(DOCUMENTS)
    return db


@pytest.fixture
def documents(request: pytest.FixtureRequest, server: Server, fdw_host: Host) -> Connection:
    """A connection to a database with `documents`, which a test may change."""
    connection: Connection = request.getfixturevalue("rolled_back" if fdw_host is BUNDLED else "committed")
    return connection


@pytest.fixture
def rows(documents: Connection) -> Callable[..., Rows]:
    """Runs a query in the test's transaction and gives all its rows."""

    def run(query: str, *values: Any) -> Rows:
        return documents.execute(query.encode(), values or None).fetchall()

    return run


@pytest.fixture
def failure(documents: Connection) -> Callable[..., Diagnostic]:
    """Runs a statement that must fail, gives what the server said, and leaves the transaction usable."""

    def run(query: str, *values: Any) -> Diagnostic:
        with pytest.raises(psycopg.Error) as caught, documents.transaction():
            documents.execute(query.encode(), values or None)
        return caught.value.diag

    return run


@pytest.fixture
def plan(documents: Connection) -> Callable[..., str]:
    """EXPLAIN (COSTS OFF) of a query as text."""

    def run(query: str, *values: Any) -> str:
        lines = documents.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), values or None)
        return "\n".join(line for (line,) in lines)

    return run


@pytest.fixture
def explained(documents: Connection) -> Callable[..., list[dict[str, Any]]]:
    """The nodes of EXPLAIN (FORMAT JSON) with further options, from the top of the plan down."""

    def run(query: str, options: str = "COSTS OFF", *values: Any) -> list[dict[str, Any]]:
        statement = f"EXPLAIN (FORMAT JSON, {options}) {query}".encode()
        found = documents.execute(statement, values or None).fetchall()[0][0]
        top = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        return list(_nodes(top))

    return run


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


@pytest.fixture
def nearest(documents: Connection) -> dict[int, list[int]]:
    """For each document the ids of all documents, best first, each search run by itself."""
    found = {}
    for document, embedding in documents.execute("SELECT id, embedding FROM documents").fetchall():
        search = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = %s::real[]"
        found[document] = [row for (row,) in documents.execute(search, (embedding,)).fetchall()]
    return found


SEARCH_FOR = "SELECT id FROM mha_search WHERE query = '{1,0}' AND num_heads = 1 AND table_name = "
Refused = Callable[..., tuple[str | None, str | None, str | None]]


@pytest.fixture
def refused(db: Connection) -> Refused:
    """Searches a source that cannot be used; SQLSTATE, message and HINT of the error."""

    def run(table: str, clauses: str = "") -> tuple[str | None, str | None, str | None]:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"{SEARCH_FOR}%s{clauses}".encode(), [table])
        return caught.value.sqlstate, caught.value.diag.message_primary, caught.value.diag.message_hint

    return run


@pytest.fixture
def two_documents(db: Connection) -> Connection:
    """A fresh database with two rows of two dimensions."""
    db.execute("""
        CREATE TABLE documents (id int PRIMARY KEY, title text, embedding real[]);
        INSERT INTO documents VALUES (1, 'a', '{1,0}'), (2, 'b', '{0,1}')
    """)
    return db
