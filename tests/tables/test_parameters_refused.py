"""Where no plan can know a parameter first, the answer is an error that names LATERAL, never a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

SEARCH = "s.table_name = 'documents' AND s.query = d.embedding"


QUERIES = '"query" or "query_id" or "queries"'


@pytest.mark.parametrize(
    "query",
    [
        "FROM documents d FULL JOIN (SELECT * FROM mha_search WHERE table_name = 'documents') s ON"
        " s.query_id = d.id",
        f"FROM mha_search s LEFT JOIN documents d ON {SEARCH}",
        f"FROM documents d RIGHT JOIN mha_search s ON {SEARCH}",
        "FROM mha_search s WHERE NOT EXISTS"
        " (SELECT FROM documents d WHERE s.table_name = 'documents' AND s.query = d.embedding)",
        "FROM documents d, (SELECT query, max(score) FROM mha_search WHERE table_name = 'documents'"
        " GROUP BY query) s"
        " WHERE s.query = d.embedding",
        "FROM documents d, (SELECT *, row_number() OVER () FROM mha_search WHERE table_name = 'documents') s"
        " WHERE s.query = d.embedding",
        "FROM documents d, (SELECT DISTINCT ON (id) * FROM mha_search WHERE table_name = 'documents'"
        " ORDER BY id) s"
        " WHERE s.query = d.embedding",
        "FROM documents d, (SELECT * FROM mha_search WHERE table_name = 'documents' LIMIT 5) s"
        " WHERE s.query = d.embedding",
        "FROM documents d, (SELECT * FROM mha_search WHERE table_name = 'documents' OFFSET 0) s"
        " WHERE s.query = d.embedding",
    ],
)
def test_a_parameter_that_cannot_be_known_first_is_an_error(failure: Callable[..., Any], query: str) -> None:
    found = failure(f"SELECT * {query}")
    assert found.sqlstate == "HV000"
    assert found.message_primary.startswith("mha_search needs a value for its parameter ")
    assert "LATERAL" in found.message_hint
    assert "SELECT id, score FROM mha_search WHERE table_name = " in found.message_hint


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clauses", "missing"),
    [
        ("true", '"table_name"'),
        ("query = '[1]'", '"table_name"'),
        ("table_name = 'documents'", QUERIES),
        ("table_name = 'documents' AND k = 5 AND id = 3 AND score > 0.5", QUERIES),
    ],
)
def test_a_missing_required_parameter_is_an_error(
    failure: Callable[..., Any], clauses: str, missing: str
) -> None:
    for query in (
        f"SELECT * FROM mha_search WHERE {clauses}",
        f"SELECT count(*) FROM mha_search WHERE {clauses}",
        f"SELECT * FROM (SELECT 1) one CROSS JOIN mha_search WHERE {clauses}",
        f"SELECT EXISTS (SELECT FROM mha_search WHERE {clauses})",
        f"EXPLAIN SELECT * FROM mha_search WHERE {clauses}",
    ):
        found = failure(query)
        assert found.sqlstate == "HV000"
        assert found.message_primary == f"mha_search needs a value for its parameter {missing}"


@pytest.mark.bundled
def test_an_optional_parameter_that_a_join_offers_is_never_left_out(
    documents: Connection, rows: Callable[..., Rows], failure: Callable[..., Any]
) -> None:
    """With the default in its place the answer would be that of another question."""
    query = (
        "SELECT s.id FROM (mha_search s CROSS JOIN (VALUES (1), (2)) v (x)) JOIN documents d ON s.k = d.id"
        " WHERE s.table_name = 'documents' AND s.query_id = 1 AND d.id IN (2, 3)"
    )
    assert len(rows(query)) == 10
    documents.execute("SET LOCAL join_collapse_limit = 1")
    found = failure(query)
    assert found.sqlstate == "HV000"
    assert found.message_primary == 'mha_search needs a value for its parameter "k"'
    assert "LATERAL" in found.message_hint


def test_an_outer_join_from_the_search_compares_the_shown_value(rows: Callable[..., Rows]) -> None:
    query = (
        "SELECT s.k, d.id, count(*) FROM (SELECT * FROM mha_search WHERE table_name = 'documents' AND"
        " query_id = 1{}) s"
        " {} JOIN documents d ON d.id = s.k WHERE d.id IS NULL OR d.id < 4 GROUP BY 1, 2 ORDER BY 2"
    )
    assert rows(query.format("", "LEFT")) == [(None, None, 12)]
    assert rows(query.format(" AND k = 2", "LEFT")) == [(2, 2, 2)]
    assert rows(query.format("", "FULL")) == [(None, 1, 1), (None, 2, 1), (None, 3, 1), (None, None, 12)]


@pytest.mark.bundled
def test_a_forced_join_order_that_comes_too_late_is_an_error(
    documents: Connection, rows: Callable[..., Rows], failure: Callable[..., Any]
) -> None:
    query = (
        "SELECT d.id, s.id FROM (mha_search s CROSS JOIN (VALUES (1), (2)) v (x)) JOIN documents d"
        f" ON {SEARCH} AND s.k = 1 WHERE d.id < 3"
    )
    free = rows(query)
    assert len(free) == 4
    documents.execute("SET LOCAL join_collapse_limit = 1")
    found = failure(query)
    assert found.sqlstate == "HV000"
    assert "LATERAL" in found.message_hint
    lateral = (
        "SELECT d.id, s.id FROM documents d CROSS JOIN LATERAL (SELECT * FROM mha_search s"
        f" WHERE {SEARCH} AND s.k = 1) s CROSS JOIN (VALUES (1), (2)) v (x) WHERE d.id < 3"
    )
    assert sorted(rows(lateral)) == sorted(free)


def test_the_lateral_form_of_the_hint_works_where_the_join_does_not(
    rows: Callable[..., Rows], nearest: dict[int, list[int]]
) -> None:
    found = rows(
        "SELECT d.id, g.n, g.best FROM documents d CROSS JOIN LATERAL (SELECT count(*) AS n,"
        f" (array_agg(id ORDER BY score DESC))[2] AS best FROM mha_search s WHERE {SEARCH} GROUP BY"
        f" query) g ORDER BY 1"
    )
    assert found == [(d, 12, nearest[d][1]) for d in nearest]
