"""Mechanisms whose logits depend on positions, through SQL."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.errors import Diagnostic

Connection = psycopg.Connection[Any]
Rows = Callable[..., list[tuple[Any, ...]]]
Failure = Callable[..., Diagnostic]

SEARCH = "SELECT id, score FROM mha_search WHERE table_name = 'alike' AND query = '{1,1}' AND k = 10"


@pytest.fixture
def alike(documents: Connection) -> Connection:
    """Five equal vectors, two hours apart."""
    documents.execute("CREATE TABLE alike (id int PRIMARY KEY, v real[], hour int, written timestamptz)")
    documents.execute(
        "INSERT INTO alike SELECT i, '{1,1}', 2 * i, '2026-01-01'::timestamptz + interval '2 hours' * i"
        " FROM generate_series(1, 5) i"
    )
    return documents


@pytest.mark.parametrize(
    ("order", "slope"), [("hour", 0.25), ("written", 0.25 / 3600)], ids=["number", "timestamp"]
)
def test_the_weight_falls_with_age(alike: Connection, rows: Rows, order: str, slope: float) -> None:
    query = f"{SEARCH} AND attention_type = 'alibi' AND order_column = %s AND options = %s::jsonb"
    scores = dict(rows(query, order, f'{{"slope": {slope}}}'))
    assert [scores[i] / scores[i + 1] for i in range(1, 5)] == pytest.approx([math.exp(-0.5)] * 4, rel=1e-5)


@pytest.mark.parametrize(("mechanism", "option"), [("alibi", "slope"), ("retention", "gamma")])
def test_a_default_per_row_is_refused_over_seconds(
    alike: Connection, failure: Failure, mechanism: str, option: str
) -> None:
    error = failure(f"{SEARCH} AND attention_type = '{mechanism}' AND order_column = 'written'")
    assert (
        error.message_primary == f"{mechanism} over times needs the option {option}, written counts seconds"
    )
    assert "per second" in str(error.message_hint)


def test_rotation_goes_by_the_distance_alone(alike: Connection, rows: Rows) -> None:
    query = f"{SEARCH} AND attention_type = 'rope' AND order_column = 'hour'"
    scores = dict(rows(query + " AND position = 6"))
    assert max(scores, key=lambda row: scores[row]) == 3
    assert scores[2] == pytest.approx(scores[4], rel=1e-6)
    alike.execute("UPDATE alike SET hour = hour + 1000000")
    assert dict(rows(query + " AND position = 1000006")) == pytest.approx(scores, rel=1e-5)


def test_the_row_that_asks_stands_at_itself(alike: Connection, rows: Rows) -> None:
    query = SEARCH.replace("query = '{1,1}'", "query_id = 3")
    scores = rows(f"{query} AND attention_type = 'retention' AND order_column = 'hour'")
    assert [row[0] for row in scores] == [3, 2, 1]


def test_every_row_of_a_table_asks_from_where_it_stands(alike: Connection, rows: Rows) -> None:
    outputs = rows(
        "SELECT query_id, output[1], entropy FROM attention WHERE table_name = 'alike'"
        " AND query_table = 'alike' AND attention_type = 'retention' AND order_column = 'hour'"
        " AND options = '{\"gamma\": 0.5}'"
    )
    assert [row[0] for row in outputs] == [1, 2, 3, 4, 5]
    faded = [sum(0.25**age for age in range(i)) * math.sqrt(2) for i in range(1, 6)]
    assert [row[1] for row in outputs] == pytest.approx(faded, rel=1e-6)
    assert {row[2] for row in outputs} == {None}


def test_linear_is_causal_if_told_so(alike: Connection, rows: Rows, failure: Failure) -> None:
    causal = f"{SEARCH} AND attention_type = 'linear' AND options = '{{\"causal\": true}}'"
    assert len(rows(f"{causal} AND order_column = 'hour' AND position = 7 AND score > 0")) == 3
    assert failure(causal).message_primary == 'linear needs the parameter "order_column"'
    error = failure(f"{SEARCH} AND attention_type = 'linear' AND order_column = 'hour'")
    assert (
        error.message_primary
        == 'parameter "order_column" is not used by linear, which knows none under these options'
    )
