"""In the result a parameter column shows the value in effect, as given, defaults included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

SEARCH = "FROM mha_search s WHERE table_name = 'documents' AND {}"
PARAMETERS = (
    "table_name", "query", "query_id", "id_column", "vector_column", "queries", "order_column", "position",
    "num_heads", "k", "temperature", "attention_type", "candidates", "normaliser", "model", "options",
)  # fmt: skip


def test_defaults_are_shown_and_what_has_none_is_null(rows: Callable[..., Rows]) -> None:
    (shown,) = rows(f"SELECT DISTINCT {', '.join(PARAMETERS)} {SEARCH.format('query_id = 1')}")
    given = {name: value for name, value in zip(PARAMETERS, shown, strict=True) if value is not None}
    assert given == {
        "table_name": "documents", "query_id": 1, "id_column": "id", "vector_column": "embedding",
        "num_heads": 8, "temperature": 1.0, "attention_type": "multi_head",
    }  # fmt: skip


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("k", "3", 3),
        ("k", "3::bigint", 3),
        ("num_heads", "2::smallint", 2),
        ("temperature", "0.5", 0.5),
        ("temperature", "2", 2.0),
        ("candidates", "'{3,1,1,99}'", [3, 1, 1, 99]),
        ("candidates", "ARRAY[3, 1]::bigint[]", [3, 1]),
        ("normaliser", "'{1,2,3,4,5,6,7,8}'", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        ("attention_type", "'multi_head'", "multi_head"),
        ("options", "'{}'", {}),
        ("id_column", "'id'", "id"),
    ],
)
def test_a_value_is_shown_as_it_was_given(
    rows: Callable[..., Rows], column: str, value: str, shown: object
) -> None:
    found = rows(f"SELECT {column} {SEARCH.format(f'query_id = 1 AND {column} = {value}')}")
    assert found
    assert all(row == (shown,) for row in found)


def test_a_name_is_shown_as_it_was_written(rows: Callable[..., Rows]) -> None:
    for name in ("documents", "public.documents", ' public . "documents"'):
        query = "SELECT DISTINCT table_name FROM mha_search WHERE table_name = %s AND query_id = 1"
        assert rows(query, name) == [(name,)]


@pytest.mark.bundled
def test_a_query_vector_is_shown_in_single_precision(rows: Callable[..., Rows]) -> None:
    for value in ("'[0.1,0,0,0,0,0,0,2]'", "ARRAY[0.1,0,0,0,0,0,0,2]", "'{0.1,0,0,0,0,0,0,2}'::float8[]"):
        assert rows(f"SELECT query::text {SEARCH.format(f'k = 1 AND query = {value}')}") == [
            ("{0.1,0,0,0,0,0,0,2}",)
        ]


def test_select_star_has_every_column_in_the_order_of_the_table(documents: Connection) -> None:
    cursor = documents.execute(f"SELECT * {SEARCH.format('query_id = 1 AND k = 1')}".encode())
    names = [column.name for column in cursor.description or ()]
    assert names == ["id", "score", "logit", "rank", "head_scores", "lse", *PARAMETERS]
    (row,) = cursor.fetchall()
    assert row[names.index("k")] == 1
    assert len(row[names.index("head_scores")]) == len(row[names.index("lse")]) == 8


def test_a_whole_row_is_that_of_select_star(rows: Callable[..., Rows]) -> None:
    where = SEARCH.format("query_id = 1 AND k = 2")
    assert rows(f"SELECT (s).* FROM (SELECT s {where}) t") == rows(f"SELECT * {where}")
    assert rows(f"SELECT (to_jsonb(s) ->> 'k')::int, s.id = (s).id {where}") == [(2, True)] * 2
    assert rows(f"SELECT count(s) {where}") == [(2,)]


def test_no_column_at_all_still_counts_rows(rows: Callable[..., Rows]) -> None:
    assert rows(f"SELECT count(*) {SEARCH.format('query_id = 1')}") == [(12,)]
    assert rows(f"SELECT 1 {SEARCH.format('query_id = 1 AND k = 2')}") == [(1,), (1,)]


def test_system_columns_that_mean_something_can_be_read(
    rows: Callable[..., Rows], failure: Callable[..., Any]
) -> None:
    where = SEARCH.format("query_id = 1 AND k = 1")
    assert rows(f"SELECT tableoid::regclass::text, id {where}") == [("mha_search", 1)]
    assert len(rows(f"SELECT ctid {where}")) == 1
    assert failure(f"SELECT xmin {where}").sqlstate == "0A000"


def test_a_result_can_be_stored_with_its_parameters(documents: Connection, rows: Callable[..., Rows]) -> None:
    documents.execute(f"CREATE TABLE kept AS SELECT * {SEARCH.format('query_id = 1 AND k = 2')}".encode())
    documents.execute(f"INSERT INTO kept SELECT * {SEARCH.format('query_id = 2 AND k = 3')}".encode())
    assert rows("SELECT query_id, k, count(*) FROM kept GROUP BY 1, 2 ORDER BY 1") == [(1, 2, 2), (2, 3, 3)]


@pytest.mark.bundled
@pytest.mark.parametrize("table", ["mha_search", "attention_score", "attention_types"])
def test_the_tables_cannot_be_written(failure: Callable[..., Any], table: str) -> None:
    column = "name" if table == "attention_types" else "score"
    for statement in (
        f"INSERT INTO {table} DEFAULT VALUES",
        f"UPDATE {table} SET {column} = NULL",
        f"DELETE FROM {table}",
    ):
        assert failure(statement).sqlstate in ("55000", "0A000", "HV000")
    assert failure(f"TRUNCATE {table}").sqlstate == "0A000"
