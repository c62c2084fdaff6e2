"""Making and asking a foreign table `own` over a table `corpus` whose ids are uuids."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection

Failure = Callable[..., psycopg.Error]

CORPUS = """
CREATE TABLE corpus
(doc uuid PRIMARY KEY, title text, pages int, written date, tags text[], embedding real[]);
INSERT INTO corpus
SELECT md5(i::text)::uuid, 'title ' || i, i * 10, date '2020-01-01' + i, ARRAY['t' || i, 'a "b"'],
       ARRAY[cos(i), sin(i), cos(2*i), sin(2*i)]::real[]
FROM generate_series(1, 12) i
"""
OPTIONS = "operation 'mha_search', table_name 'corpus', id_column 'doc', num_heads '1'"
QUERY = "query = (SELECT embedding FROM corpus WHERE title = 'title 3')"


def create(db: Connection[Any], columns: str, options: str = OPTIONS) -> None:
    """The foreign table `own`, in place of an earlier one."""
    db.execute("DROP FOREIGN TABLE IF EXISTS own")
    db.execute(f"CREATE FOREIGN TABLE own ({columns}) SERVER ruattn OPTIONS ({options})".encode())


def fetch(db: Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()
