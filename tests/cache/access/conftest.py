"""Documents whose owner has searched them, and sessions of two roles that own nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

sys.path.insert(0, str(Path(__file__).parent))

from searches import GRANT, search

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

DOCUMENTS = """
CREATE TABLE documents (id int PRIMARY KEY, owner name, v real[]);
INSERT INTO documents
SELECT i, CASE i % 3 WHEN 0 THEN 'ruattn_first' WHEN 1 THEN 'ruattn_second' ELSE 'postgres' END,
       ARRAY[cos(i), sin(i), cos(2 * i), sin(2 * i)]::real[] FROM generate_series(1, 30) i;
CREATE ROLE ruattn_first LOGIN;
CREATE ROLE ruattn_second LOGIN
"""


@pytest.fixture
def owner(server: Server, db: Connection) -> Iterator[Connection]:
    """The owner of 30 documents, who has searched them twice."""
    db.execute(DOCUMENTS)
    db.execute("VACUUM documents")
    for _ in range(2):
        assert len(search(db)) == 30
    yield db
    with psycopg.connect(server.uri(db.info.dbname), autocommit=True) as admin:
        admin.execute("DROP OWNED BY ruattn_first, ruattn_second; DROP ROLE ruattn_first, ruattn_second")


@pytest.fixture
def first(owner: Connection, connect: Connect) -> Iterator[Connection]:
    """A session of a role that owns nothing."""
    with connect(user="ruattn_first") as session:
        yield session


@pytest.fixture
def second(owner: Connection, connect: Connect) -> Iterator[Connection]:
    """A session of another role that owns nothing."""
    with connect(user="ruattn_second") as session:
        yield session


@pytest.fixture
def by_owner(owner: Connection) -> Connection:
    """Each role sees the rows that it owns."""
    owner.execute(f"ALTER TABLE documents ENABLE ROW LEVEL SECURITY; {GRANT}")
    owner.execute("CREATE POLICY own ON documents USING (owner = current_user)")
    for role in ("ruattn_first", "ruattn_second"):
        owner.execute(f"CREATE TABLE of_{role} AS SELECT * FROM documents WHERE owner = '{role}'".encode())
    return owner
