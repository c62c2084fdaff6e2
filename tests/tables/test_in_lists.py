"""IN and = ANY on a parameter run once for each distinct value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
Nearest = dict[int, list[int]]

SEARCH = "SELECT query_id, id FROM mha_search WHERE table_name = 'documents' AND k = 2 AND {}"


def pairs(nearest: Nearest, *queries: int) -> Rows:
    return sorted((query, found) for query in queries for found in nearest[query][:2])


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clause", "queries"),
    [
        ("query_id IN (1, 3)", (1, 3)),
        ("query_id IN (3)", (3,)),
        ("query_id IN (1, 3, 1, 3, 3)", (1, 3)),
        ("query_id IN (1, NULL, 3)", (1, 3)),
        ("query_id IN (NULL, NULL)", ()),
        ("query_id IN (3::smallint, 1::bigint)", (1, 3)),
        ("query_id = ANY ('{1,3}')", (1, 3)),
        ("query_id = ANY ('{{1},{3}}')", (1, 3)),
        ("query_id = ANY (ARRAY[1, 3])", (1, 3)),
        ("query_id = ANY (ARRAY[1, 3]::smallint[])", (1, 3)),
        ("query_id = ANY ('{}')", ()),
        ("query_id = ANY (NULL)", ()),
        ("query_id = ANY (ARRAY(SELECT id FROM documents WHERE id IN (1, 3)))", (1, 3)),
        ("query_id = ANY ((SELECT array_agg(id) FROM documents WHERE id IN (1, 3))::bigint[])", (1, 3)),
        ("query_id = ANY ((SELECT array_agg(id) FROM documents WHERE id > 99)::bigint[])", ()),
        ("query_id = ANY (string_to_array('1,3', ',')::int[])", (1, 3)),
        ("query_id IN (SELECT id FROM documents WHERE id IN (1, 3))", (1, 3)),
        ("query_id IN (SELECT unnest(ARRAY[1, 3, 3, NULL]))", (1, 3)),
        ("query_id IN (VALUES (1), (3), (1))", (1, 3)),
        ("query_id IN (1, (SELECT 3))", (1, 3)),
    ],
)
def test_each_distinct_value_runs_once(
    rows: Callable[..., Rows], nearest: Nearest, clause: str, queries: tuple[int, ...]
) -> None:
    assert sorted(rows(SEARCH.format(clause))) == pairs(nearest, *queries)


@pytest.mark.bundled
def test_vectors_run_once_each(rows: Callable[..., Rows], nearest: Nearest) -> None:
    query = "SELECT id FROM mha_search WHERE table_name = 'documents' AND k = 2 AND query {}"
    expected = sorted(found for _, found in pairs(nearest, 1, 3))
    for clause in (
        "= ANY (ARRAY(SELECT embedding::attention_vector FROM documents WHERE id IN (1, 3)))",
        "IN (SELECT embedding::attention_vector FROM documents WHERE id IN (1, 3))",
        "IN ((SELECT embedding FROM documents WHERE id = 1)::attention_vector,"
        " (SELECT embedding FROM documents WHERE id = 3)::attention_vector)",
    ):
        assert sorted(found for (found,) in rows(query.format(clause))) == expected


def test_several_lists_form_their_product(rows: Callable[..., Rows]) -> None:
    found = rows(
        "SELECT query_id, k, num_heads, count(*) FROM mha_search WHERE table_name = 'documents'"
        " AND query_id IN (1, 2) AND k = ANY (ARRAY[1, 3, 1]) AND num_heads IN (1, 2, NULL) GROUP BY 1,"
        " 2, 3 ORDER BY 1, 2, 3"
    )
    assert found == [(query, k, heads, k) for query in (1, 2) for k in (1, 3) for heads in (1, 2)]


def test_an_empty_list_among_others_gives_no_rows(rows: Callable[..., Rows]) -> None:
    assert rows(SEARCH.format("query_id IN (1, 2) AND num_heads = ANY ('{}')")) == []


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_an_array_as_a_parameter_of_a_prepared_statement(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest, mode: str
) -> None:
    documents.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
    documents.execute(("PREPARE many (int[]) AS " + SEARCH.format("query_id = ANY ($1)")).encode())
    try:
        assert sorted(rows("EXECUTE many('{1,3,1,NULL}')")) == pairs(nearest, 1, 3)
        assert rows("EXECUTE many('{}')") == []
        assert rows("EXECUTE many(NULL)") == []
        assert rows("EXECUTE many('{NULL}')") == []
    finally:
        documents.execute("DEALLOCATE many")


@pytest.mark.bundled
def test_a_list_of_a_row_of_another_table(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest
) -> None:
    documents.execute("CREATE TABLE lists (name text, members bigint[])")
    documents.execute("INSERT INTO lists VALUES ('a', '{1,3,3}'), ('b', '{2}'), ('c', '{}'), ('d', NULL)")
    found = rows(
        "SELECT l.name, s.query_id, s.id FROM lists l, mha_search s WHERE s.table_name = 'documents'"
        " AND s.k = 2"
        " AND s.query_id = ANY (l.members) ORDER BY 1, 2, 3"
    )
    assert found == [("a", *pair) for pair in pairs(nearest, 1, 3)] + [
        ("b", *pair) for pair in pairs(nearest, 2)
    ]


@pytest.mark.bundled
@pytest.mark.parametrize(("number", "offset"), [(1, 0), (300, 0), (3, 2)])
def test_no_order_is_advertised_with_a_list(
    rows: Callable[..., Rows], plan: Callable[..., str], number: int, offset: int
) -> None:
    """Not even with one element: its number may be unknown when the query is planned."""
    ids = ", ".join(str(1 + i % 12) for i in range(offset, offset + number + 1))
    search = f"FROM mha_search WHERE table_name = 'documents' AND query_id IN ({ids})"
    query = f"SELECT score {search} ORDER BY score DESC"
    assert "Sort" in plan(query)
    scores = [score for (score,) in rows(query)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 12 * min(number + 1, 12)


def test_a_list_with_a_bad_value_is_an_error_that_names_it(failure: Callable[..., Any]) -> None:
    found = failure(
        "SELECT id FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND k IN (1, 0)"
    )
    assert found.sqlstate == "22023"
    assert "got 0" in found.message_primary


@pytest.mark.bundled
def test_a_parameter_that_is_an_array_takes_no_list(failure: Callable[..., Any]) -> None:
    found = failure("SELECT 1 FROM sliding_attention WHERE embeddings = ANY ('{}'::attention_vector[])")
    assert found.sqlstate == "0A000"
    assert found.message_primary == 'parameter "embeddings" has type real[], of which there are no arrays'
    assert found.message_hint == "Give one value, or take the values from a join."


@pytest.mark.bundled
def test_a_timeout_takes_effect_while_repeated_values_are_sought(documents: Connection) -> None:
    documents.execute("SELECT FROM attention_types")
    documents.execute("SET statement_timeout = 500")
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        documents.execute(SEARCH.format("query_id = ANY (ARRAY(SELECT generate_series(1, 60000)))").encode())
    assert time.monotonic() - begun < 3
