"""Columns read beside the vectors for one search are no part of the next one's answer."""

from collections.abc import Callable
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Agree = Callable[..., list[int]]

SEARCH = "SELECT output FROM attention WHERE table_name = 'docs' AND query = '{1,0.5,-1,0.25,2,0,0.5,1}'"


def test_a_search_without_values_after_one_with_values(docs: Connection) -> None:
    own = docs.execute(SEARCH.encode()).fetchone()
    docs.execute(f"{SEARCH} AND value_column = 'place'".encode())
    assert docs.execute(SEARCH.encode()).fetchone() == own


def test_null_vectors_are_counted_anew(docs: Connection) -> None:
    docs.execute("SET default_transaction_isolation = 'serializable'")
    for added in range(2):
        plan = docs.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {SEARCH}".encode()).fetchone()
        assert plan is not None
        assert plan[0][0]["Plan"].get("NULL Vectors Skipped", 0) == added
        docs.execute("INSERT INTO docs (id) VALUES (13)")
