"""A table of vectors that searches over Multicorn2 read."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

DOCUMENTS = """
CREATE TABLE documents (id integer PRIMARY KEY, embedding real[]);
INSERT INTO documents
SELECT i, ARRAY[cos(i), sin(i), cos(2*i), sin(2*i)]::real[] FROM generate_series(1, 12) i
"""


@pytest.fixture
def documents(db: Connection) -> Connection:
    """A connection to a database with `documents`: 12 rows of 4 dimensions."""
    db.execute(DOCUMENTS)
    return db
