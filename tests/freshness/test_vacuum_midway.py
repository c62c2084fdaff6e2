"""Searches while VACUUM goes from page to page of an attention index."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

ROWS = 5600
"""Four pages of an index, of 1,360 entries each, and the beginning of another."""
SEARCHED = (
    "SELECT array_agg(id ORDER BY id) FROM mha_search WHERE table_name = 'docs' AND query = '{1}'"
    " AND num_heads = 1"
)
STORED = "SELECT array_agg(id ORDER BY id) FROM docs"


def searched(session: Connection) -> list[int]:
    """The ids that a search gives, all of them."""
    ids: list[int] = session.execute(SEARCHED.encode()).fetchall()[0][0]
    return ids


def test_what_was_refreshed_between_two_pages_is_right_behind_the_last(
    db: Connection, connect: Callable[..., Connection]
) -> None:
    db.execute("CREATE TABLE docs (id int, vec real[])")
    db.execute(f"INSERT INTO docs SELECT i, ARRAY[i] FROM generate_series(1, {ROWS}) i".encode())
    db.execute("CREATE INDEX ON docs USING ruvector_attention (vec) INCLUDE (id)")
    assert len(searched(db)) == ROWS
    db.execute("DELETE FROM docs WHERE id % 10 = 0")
    cleaner = connect()
    # a rest after each page
    cleaner.execute("SET vacuum_cost_delay = 20; SET vacuum_cost_limit = 1")
    with ThreadPoolExecutor(1) as pool:
        cleaned = pool.submit(cleaner.execute, "VACUUM docs")
        while not cleaned.done():
            # another transaction, so another snapshot: rows under an equal one are known
            db.execute("SELECT pg_current_xact_id()")
            searched(db)
        cleaned.result()
    (stored,) = db.execute(STORED.encode()).fetchall()[0]
    assert searched(db) == searched(connect()) == stored
