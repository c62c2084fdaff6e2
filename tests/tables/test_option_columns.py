"""Options that name a column of the source: a prior, marks, steps, marginals."""

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

SEARCH = "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND query_id = 1"
PRIOR = ' AND attention_type = \'information_bottleneck\' AND options = \'{"prior": "%s", "rate": 0}\''


@pytest.fixture
def weighted(documents: Connection) -> Connection:
    """Documents with a weight, a mark and a step."""
    documents.execute(
        "ALTER TABLE documents ADD weight numeric, ADD pinned boolean, ADD step real, ADD holes int"
    )
    documents.execute(
        "UPDATE documents SET weight = id, pinned = id IN (2, 9), step = -1, holes = nullif(id, 3)"
    )
    return documents


def test_a_column_is_the_prior(weighted: Connection, rows: Rows) -> None:
    scores = dict(rows(SEARCH + PRIOR % "weight"))
    assert scores == pytest.approx({i: i / 78 for i in range(1, 13)}, rel=1e-6)


def test_a_column_is_exact_where_a_session_shows_few_digits(weighted: Connection, rows: Rows) -> None:
    weighted.execute("UPDATE documents SET step = 1 + id / 100.0")
    weighted.execute("SET extra_float_digits = -15")
    wanted = {i: (1 + i / 100) / 12.78 for i in range(1, 13)}
    shares = rows(f"SELECT id, (score * 1e6)::bigint FROM ({SEARCH + PRIOR % 'step'}) s")
    assert dict(shares) == pytest.approx({i: 1e6 * share for i, share in wanted.items()}, abs=1)


def test_a_boolean_marks_the_rows_that_all_see(weighted: Connection, rows: Rows) -> None:
    options = '{"window": 2, "global_column": "pinned"}'
    query = (
        f"{SEARCH} AND attention_type = 'local_global' AND order_column = 'id' AND options = '{options}'"
        " AND position = 5 AND score > 0"
    )
    assert sorted(row[0] for row in rows(query)) == [2, 4, 5, 6, 9]


def test_a_column_says_how_fast_the_past_fades(weighted: Connection, rows: Rows) -> None:
    query = SEARCH + " AND attention_type = 'selective_ssm' AND order_column = 'id' AND options = '%s'"
    by_column, by_number = (dict(rows(query % text)) for text in ('{"dt_column": "step"}', '{"dt": -1}'))
    assert by_column == pytest.approx(by_number, rel=1e-6)


def test_a_column_balances_the_documents(weighted: Connection, rows: Rows) -> None:
    totals = rows(
        "SELECT doc_id, sum(score) FROM cross_attention WHERE query_table = 'documents'"
        " AND document_table = 'documents' AND attention_type = 'sinkhorn'"
        ' AND options = \'{"column_marginal": "weight"}\' GROUP BY doc_id'
    )
    assert dict(totals) == pytest.approx({i: 12 * i / 78 for i in range(1, 13)}, rel=1e-5)


def test_explain_names_the_column(weighted: Connection, plan: Callable[..., str]) -> None:
    assert "Source: public.documents (id, embedding, weight)" in plan(SEARCH + PRIOR % "weight")


def test_a_column_that_is_not_there_names_the_nearest(weighted: Connection, failure: Failure) -> None:
    error = failure(SEARCH + PRIOR % "wieght")
    assert (error.sqlstate, error.message_primary) == (
        "42703",
        'column "wieght" of relation "documents" does not exist',
    )
    assert "weight" in str(error.message_hint)


def test_a_column_of_another_type_is_refused(weighted: Connection, failure: Failure) -> None:
    error = failure(SEARCH + PRIOR % "title")
    assert error.message_primary == "documents.title has type text, prior takes numbers or booleans"


def test_a_null_names_its_row(weighted: Connection, failure: Failure) -> None:
    error = failure(SEARCH + PRIOR % "holes")
    assert error.message_primary == "documents.holes of the row with id 3 is NULL or NaN"


def test_a_number_out_of_range_names_its_row(weighted: Connection, failure: Failure) -> None:
    weighted.execute("UPDATE documents SET weight = -2 WHERE id = 4")
    error = failure(SEARCH + PRIOR % "weight")
    assert error.message_primary == "documents.embedding of id 4 has the prior -2"


def test_arrays_have_no_columns(failure: Failure) -> None:
    error = failure(
        "SELECT * FROM sliding_attention WHERE embeddings = '{{1,0},{0,1}}'"
        " AND attention_type = 'information_bottleneck' AND options = '{\"prior\": \"weight\"}'"
    )
    assert error.message_primary == "prior is 'weight', but keys that are no table's have no columns"


def test_users_own_tables_take_such_options(weighted: Connection, rows: Rows) -> None:
    weighted.execute(
        "CREATE FOREIGN TABLE by_weight (id bigint, score real, query_id bigint) SERVER ruattn OPTIONS"
        " (operation 'mha_search', table_name 'documents', attention_type 'information_bottleneck',"
        ' options \'{"prior": "weight", "rate": 0}\')'
    )
    assert math.isclose(
        rows("SELECT score FROM by_weight WHERE query_id = 1 AND id = 12")[0][0], 12 / 78, rel_tol=1e-6
    )
