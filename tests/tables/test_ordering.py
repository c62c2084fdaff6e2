"""Rows arrive best first: no Sort where that is the order asked for, and no more rows than are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
Explain = Callable[..., list[dict[str, Any]]]

SEARCH = "FROM mha_search s WHERE table_name = 'documents' AND query_id = 1"


def types(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["Node Type"] for node in nodes]


@pytest.mark.parametrize(
    "order", ["score DESC", "rank", "rank ASC", "score DESC NULLS FIRST", "score DESC NULLS LAST"]
)
@pytest.mark.parametrize("more", ["", " LIMIT 3", " AND k = 3", " AND id > 4"])
def test_the_natural_order_needs_no_sort(
    explained: Explain, rows: Callable[..., Rows], order: str, more: str
) -> None:
    where, limit = (more, "") if "AND" in more else ("", more)
    query = f"SELECT id, score, rank {SEARCH}{where} ORDER BY {order}{limit}"
    assert not any("Sort" in node for node in types(explained(query)))
    ranks = [rank for _, _, rank in rows(query)]
    assert ranks == sorted(ranks)
    assert ranks


@pytest.mark.parametrize("order", ["score", "score ASC", "rank DESC", "-rank DESC", "id", "logit DESC", "k"])
def test_any_other_order_is_sorted(explained: Explain, order: str) -> None:
    assert types(explained(f"SELECT id {SEARCH} ORDER BY {order}"))[0] == "Sort"


@pytest.mark.bundled
def test_further_keys_are_sorted_incrementally(
    documents: Connection, explained: Explain, rows: Callable[..., Rows]
) -> None:
    documents.execute("SET LOCAL enable_sort = off")  # for twelve rows a full sort may look cheaper
    query = f"SELECT score, id {SEARCH} ORDER BY score DESC, id"
    assert types(explained(query)) == ["Incremental Sort", "Foreign Scan"]
    assert rows(query) == sorted(rows(query), key=lambda row: (-row[0], row[1]))


@pytest.mark.bundled
@pytest.mark.parametrize(
    "query",
    [
        f"SELECT id {SEARCH} LIMIT 3",
        f"SELECT id {SEARCH} ORDER BY score DESC LIMIT 3",
        f"SELECT id {SEARCH} ORDER BY rank LIMIT 3",
        f"SELECT id, head_scores, query {SEARCH} ORDER BY score DESC OFFSET 1 LIMIT 2",
        f"SELECT id {SEARCH} ORDER BY score DESC FETCH FIRST 3 ROWS ONLY",
    ],
)
def test_a_limit_without_k_takes_few_rows(documents: Connection, explained: Explain, query: str) -> None:
    documents.execute(
        "INSERT INTO documents SELECT i, '', ARRAY[i,1,1,1,1,1,1,1]::real[] FROM generate_series(100,"
        " 30000) i"
    )
    scan = explained(query, "ANALYZE, COSTS OFF, TIMING OFF")[-1]
    assert scan["Node Type"] == "Foreign Scan"
    assert scan["Actual Rows"] == 3
    assert scan["Rows Read"] == 29913


@pytest.mark.bundled
def test_a_cursor_goes_on_where_it_stopped(documents: Connection, nearest: dict[int, list[int]]) -> None:
    documents.execute(f"DECLARE c CURSOR FOR SELECT id {SEARCH}".encode())
    found = [documents.execute(f"FETCH {number} FROM c".encode()).fetchall() for number in (1, 4, 5, 5)]
    assert [row for part in found for (row,) in part] == nearest[1]
    documents.execute("CLOSE c")


@pytest.mark.bundled
def test_a_scrollable_cursor_goes_back(documents: Connection, nearest: dict[int, list[int]]) -> None:
    documents.execute(f"DECLARE c SCROLL CURSOR FOR SELECT id {SEARCH}".encode())
    for command, expected in (
        ("FETCH LAST FROM c", nearest[1][-1:]),
        ("FETCH BACKWARD 2 FROM c", nearest[1][-2:-4:-1]),
        ("FETCH FIRST FROM c", nearest[1][:1]),
        ("FETCH ABSOLUTE 5 FROM c", nearest[1][4:5]),
    ):
        assert [row for (row,) in documents.execute(command.encode()).fetchall()] == expected
    documents.execute("CLOSE c")


def test_ties_are_in_the_order_of_their_ids(documents: Connection, rows: Callable[..., Rows]) -> None:
    documents.execute("CREATE TABLE ties (id integer PRIMARY KEY, embedding real[])")
    documents.execute(
        "INSERT INTO ties SELECT i * 7919 % 5003, ARRAY[i % 2, 1] FROM generate_series(1, 5000) i"
    )
    search = "FROM mha_search WHERE table_name = 'ties' AND query = '[1, 0]' AND num_heads = 1"
    better = rows("SELECT id FROM ties WHERE embedding[1] = 1 ORDER BY id")
    worse = rows("SELECT id FROM ties WHERE embedding[1] = 0 ORDER BY id")
    assert rows(f"SELECT id {search}") == better + worse
    for k in (1, 7, 2499, 2500, 2501, 4999, 5000, 6000):
        assert rows(f"SELECT id {search} AND k = {k}") == (better + worse)[:k]


def test_the_rank_counts_from_one_without_gaps(rows: Callable[..., Rows]) -> None:
    assert rows(f"SELECT rank {SEARCH}") == [(i,) for i in range(1, 13)]
    assert rows(f"SELECT rank {SEARCH} AND k = 3") == [(1,), (2,), (3,)]


def test_k_that_is_null_gives_no_rows(rows: Callable[..., Rows]) -> None:
    for null in (
        "NULL",
        "NULL::integer",
        "(SELECT 1 WHERE false)",
        "(SELECT id FROM documents WHERE id = 99)",
    ):
        assert rows(f"SELECT id {SEARCH} AND k = {null}") == []
    assert (
        rows(f"SELECT d.id {SEARCH.replace('FROM', 'FROM (VALUES (NULL::int)) d (id),')} AND s.k = d.id")
        == []
    )


def test_windows_and_merge_joins_use_the_order(explained: Explain, rows: Callable[..., Rows]) -> None:
    query = (
        f"SELECT rank, row_number() OVER (ORDER BY score DESC), rank() OVER (ORDER BY score DESC) {SEARCH}"
    )
    assert "Sort" not in types(explained(query))
    assert rows(query) == [(i, i, i) for i in range(1, 13)]


@pytest.mark.bundled
def test_a_search_inside_a_join_is_sorted_as_sql_says(rows: Callable[..., Rows], explained: Explain) -> None:
    query = (
        "SELECT s.score FROM documents d, mha_search s WHERE s.table_name = 'documents' AND s.query ="
        " d.embedding"
        " AND s.k = 3 ORDER BY s.score DESC"
    )
    assert "Sort" in types(explained(query))
    scores = [score for (score,) in rows(query)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 36
