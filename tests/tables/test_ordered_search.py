"""mha_search with mechanisms that know an order: which rows they see, and where the query stands."""

import math

import pytest

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND num_heads = 1"


@pytest.fixture
def stamped(documents):
    """Documents written a day apart, the ids backwards in time."""
    documents.execute("ALTER TABLE documents ADD written timestamptz, ADD day date, ADD step numeric(6, 2)")
    documents.execute(
        "UPDATE documents SET written = '2026-01-13 00:00 UTC'::timestamptz - interval '1 day' * id,"
        " day = '2026-01-13'::date - id, step = 1000 - id * 0.5"
    )
    return documents


def seen(rows, query, *values):
    return sorted(row for (row,) in rows(query, *values))


@pytest.mark.parametrize("column", ["written", "day", "step"])
def test_the_query_stands_where_the_newest_row_stands(stamped, rows, column):
    query = f"{SEARCH} AND query = '{{1,0,0,0,0,0,0,0}}' AND order_column = %s AND k = 100"
    assert len(seen(rows, query + " AND attention_type = 'causal'", column)) == 12
    window = " AND attention_type = 'sliding_window' AND options = '{\"window_size\": 3}'"
    assert seen(rows, query + window, column) == [1, 2, 3]


def test_a_position_is_a_value_of_the_order(stamped, rows):
    query = f"{SEARCH} AND query = '{{1,0,0,0,0,0,0,0}}' AND attention_type = 'causal' AND k = 100"
    noon = "extract(epoch FROM '2026-01-05 12:00 UTC'::timestamptz)::float8"
    assert seen(rows, f"{query} AND order_column = 'written' AND position = {noon}") == [8, 9, 10, 11, 12]
    assert seen(rows, f"{query} AND order_column = 'step' AND position = 995") == [10, 11, 12]
    assert seen(rows, f"{query} AND order_column = 'step' AND position = 1") == []


def test_a_query_by_id_stands_at_its_own_row(stamped, rows):
    query = (
        f"{SEARCH} AND query_id = 9 AND attention_type = 'causal' AND order_column = 'written' AND k = 100"
    )
    assert seen(rows, query) == [9, 10, 11, 12]
    later = "extract(epoch FROM '2026-02-01'::timestamptz)::float8"
    assert len(seen(rows, f"{query} AND position = {later}")) == 12


def test_masked_rows_come_last_with_score_0_and_logit_null(stamped, rows):
    found = rows(
        "SELECT id, score, logit, rank FROM mha_search WHERE table_name = 'documents' AND query_id = 9"
        " AND num_heads = 1 AND attention_type = 'causal' AND order_column = 'written' ORDER BY rank"
    )
    assert [row[0] for row in found[4:]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(row[1:3] == (0, None) for row in found[4:])
    assert all(row[1] > 0 for row in found[:4])
    assert sum(row[1] for row in found) == pytest.approx(1)


def test_rows_below_zero_come_after_the_masked_ones(stamped, rows):
    found = rows(
        "SELECT id, score, logit FROM mha_search WHERE table_name = 'documents'"
        " AND attention_type = 'retention' AND query = '{-1,-1,1,0,0,0,0,0}'"
        " AND order_column = 'step' AND position = 997 ORDER BY score DESC"
    )
    scores = [row[1] for row in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0
    assert [row[0] for row in found if row[2] is None] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["sparse", "bigbird", "fixed"])
def test_patterns_run_by_alias_with_their_options(stamped, rows, kind):
    query = f"{SEARCH} AND query_id = 1 AND attention_type = %s AND order_column = 'written' AND k = 100"
    options = {
        "sparse": '{"stride": 4}',
        "bigbird": '{"window": 2, "global_tokens": 2, "random_tokens": 0}',
        "fixed": '{"stride": 4}',
    }
    wanted = {"sparse": [1, 2, 3, 4, 5, 9], "bigbird": [1, 2, 11, 12], "fixed": [1, 2, 3, 4, 5, 9]}
    assert seen(rows, query + " AND options = %s::jsonb", kind, options[kind]) == wanted[kind]


def test_explain_shows_the_order(stamped, plan):
    text = plan(
        f"{SEARCH} AND query = '{{1,0,0,0,0,0,0,0}}' AND attention_type = 'causal'"
        " AND order_column = 'written'"
    )
    assert "Mechanism: causal" in text
    assert "Source: public.documents (id, embedding, written)" in text


def test_linear_shows_its_kernel_as_logit(rows):
    found = rows(
        "SELECT score, logit, lse FROM mha_search WHERE table_name = 'documents' AND query_id = 3"
        " AND attention_type = 'linear'"
    )
    assert sum(score for score, _, _ in found) == pytest.approx(1, abs=1e-6)
    total = sum(logit for _, logit, _ in found)
    assert all(score == pytest.approx(logit / total, rel=1e-5) for score, logit, _ in found)
    assert found[0][2] == [pytest.approx(math.log(total), rel=1e-5)]


def test_linear_takes_no_temperature(failure):
    diag = failure(
        f"{SEARCH} AND query_id = 3 AND attention_type = 'linear' AND temperature = 0.5",
    )
    assert (diag.sqlstate, diag.message_primary) == ("22023", "temperature is 0.5, linear takes none")
    assert diag.message_hint
