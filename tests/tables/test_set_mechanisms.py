"""Mechanisms whose weights need all rows, or all queries, through SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.errors import Diagnostic

Connection = psycopg.Connection[Any]
Rows = Callable[..., list[tuple[Any, ...]]]
Failure = Callable[..., Diagnostic]

SEARCH = "SELECT id, score, logit FROM mha_search WHERE table_name = 'documents' AND query_id = 1"

NOTES = {
    "hopfield": ["Steps"],
    "information_bottleneck": ["KL", "Beta"],
    "topology_gated": ["Mode", "Coherence"],
    "mincut_gated": ["Alpha", "Community"],
    "multi_head_latent": ["Latent Dimensions", "Latent Share"],
}


@pytest.mark.bundled
@pytest.mark.parametrize("mechanism", NOTES)
def test_explain_analyze_tells_how_the_weights_came_about(
    explained: Callable[..., list[dict[str, Any]]], mechanism: str
) -> None:
    (scan,) = explained(f"{SEARCH} AND attention_type = '{mechanism}'", "ANALYZE")
    assert [label for label in NOTES[mechanism] if label in scan] == NOTES[mechanism]


@pytest.mark.parametrize("mechanism", ["differential", "lsh", "routing", "sheaf", "hopfield", "diffusion"])
def test_a_pair_has_no_logit_where_all_rows_count(failure: Failure, mechanism: str) -> None:
    error = failure(f"SELECT ruvector_attention_score('[1,0]', '[0,1]', '{mechanism}')")
    assert error.sqlstate == "0A000"
    assert error.message_primary == f'attention_type "{mechanism}" does not work in attention_score'
    assert "mha_search" in str(error.message_hint)


def test_zeros_of_entmax_keep_their_logit(rows: Rows) -> None:
    found = rows(f"{SEARCH} AND attention_type = 'sparsemax' AND temperature = 0.01")
    assert [row[0] for row in found if row[1] > 0] == [1]
    assert all(row[2] is not None for row in found)
    assert [row[2] for row in found] == sorted((row[2] for row in found), reverse=True)


def test_rows_that_are_masked_out_have_no_logit(rows: Rows) -> None:
    found = rows(f"{SEARCH} AND attention_type = 'top_k' AND options = '{{\"k\": 4}}'")
    assert [(row[1] > 0, row[2] is not None) for row in found] == [(True, True)] * 4 + [(False, False)] * 8
    assert sum(row[1] for row in found) == pytest.approx(1, rel=1e-6)


def test_ids_decide_which_of_equal_rows_are_among_the_best(documents: Connection, rows: Rows) -> None:
    documents.execute("UPDATE documents SET embedding = '{1,1,1,1,1,1,1,1}', title = 'moved' WHERE id < 9")
    query = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,1,1,1,1,1,1,1}'"
    found = rows(query + " AND attention_type = 'top_k' AND options = '{\"k\": 3}' AND score > 0")
    assert found == [(1,), (2,), (3,)]


def test_signed_weights_sort_below_zero(rows: Rows) -> None:
    found = rows(f"{SEARCH} AND attention_type = 'differential' AND options = '{{\"lambda\": 0.9}}'")
    assert found[-1][1] < 0
    assert [row[1] for row in found] == sorted((row[1] for row in found), reverse=True)
    assert sum(row[1] for row in found) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("mechanism", ["topology_gated", "mincut_gated", "diffusion"])
def test_too_many_rows_are_refused_with_both_numbers(failure: Failure, mechanism: str) -> None:
    error = failure(f"{SEARCH} AND attention_type = '{mechanism}' AND options = '{{\"max_rows\": 10}}'")
    assert "there are 12, max_rows is 10" in str(error.message_primary)
    assert "candidates or a view" in str(error.message_hint)


def test_sinkhorn_balances_two_tables(rows: Rows) -> None:
    pairs = rows(
        "SELECT query_id, doc_id, score FROM cross_attention WHERE query_table = 'documents'"
        " AND document_table = 'documents' AND attention_type = 'sinkhorn'"
    )
    for place in (0, 1):
        for number in range(1, 13):
            assert sum(pair[2] for pair in pairs if pair[place] == number) == pytest.approx(1, rel=1e-5)


def test_sinkhorn_refuses_a_query_alone_and_names_the_way(failure: Failure) -> None:
    alone = failure(
        "SELECT output FROM attention WHERE table_name = 'documents' AND query = '{1,0,0,0,0,0,0,0}'"
        " AND attention_type = 'sinkhorn'"
    )
    assert alone.message_primary == "sinkhorn needs at least 2 queries, there is 1"
    assert "cross_attention" in str(alone.message_hint)
    search = failure(f"{SEARCH} AND attention_type = 'sinkhorn'")
    assert "cross_attention" in str(search.message_hint)


def test_no_collision_is_an_output_of_null(rows: Rows) -> None:
    found = rows(
        "SELECT output, entropy, lse FROM attention WHERE table_name = 'documents'"
        " AND query = '{1,1,1,1,1,1,1,1}' AND candidates = '{6}' AND attention_type = 'lsh'"
        ' AND options = \'{"n_hashes": 1, "n_buckets": 4096}\''
    )
    assert found == [(None, None, None)]


def test_keys_may_be_as_narrow_as_the_shared_heads(
    documents: Connection, rows: Rows, failure: Failure
) -> None:
    documents.execute("CREATE TABLE narrow AS SELECT id, embedding[1:2] AS k FROM documents")
    query = (
        "SELECT id FROM mha_search WHERE table_name = 'narrow' AND query = '{1,0,1,0,1,0,1,0}'"
        " AND num_heads = %s AND attention_type = 'grouped_query' AND options = '{\"num_kv_heads\": 1}'"
    )
    assert len(rows(query, 4)) == 12
    error = failure(query.replace("%s", "2"))
    assert error.message_primary == "query has 8 dimensions, narrow.k has 2"
    assert error.message_hint == "Keys of 8 or 4 dimensions go with this query."


def test_rows_of_several_vectors_are_compared_as_sets(documents: Connection, rows: Rows) -> None:
    documents.execute(
        "CREATE TABLE sets AS SELECT id, ARRAY[embedding[1:4], embedding[5:8]] AS v FROM documents"
    )
    query = (
        "SELECT id FROM mha_search WHERE attention_type = 'sliced_wasserstein' AND k = 3 AND table_name = "
    )
    queries = "(SELECT v FROM sets WHERE id = 5)"
    as_sets = rows(f"{query} 'sets' AND queries = {queries}")
    flat = rows(f"{query} 'documents' AND query_id = 5 AND options = '{{\"token_dim\": 4}}'")
    assert as_sets == flat
    assert as_sets[0] == (5,)


def test_a_flat_row_needs_to_be_told_how_wide_a_vector_is(failure: Failure) -> None:
    error = failure(f"{SEARCH} AND attention_type = 'sliced_wasserstein'")
    assert "needs token_dim" in str(error.message_primary)
    assert "queries" in str(error.message_hint)


def test_what_is_no_distribution_names_its_row(failure: Failure) -> None:
    error = failure(f"{SEARCH} AND attention_type = 'fisher_rao' AND options = '{{\"input\": \"probs\"}}'")
    assert error.message_primary is not None
    assert "is no distribution" in error.message_primary


STAND_INS = {
    "multi_head_latent": ("{}", "pca"),
    "routing": ("{}", "kmeans"),
    "moe": ("{}", "kmeans"),
    "sheaf": ("{}", "whitening"),
    "gatv2": ("{}", "metric, -||h_i - h_j||_1"),
    "additive": ('{"init": "seeded"}', "seeded, untrained"),
    "scaled_dot": ("{}", "identity"),
}


@pytest.mark.bundled
@pytest.mark.parametrize("mechanism", STAND_INS)
def test_explain_says_what_stands_in_for_learned_weights(
    explained: Callable[..., list[dict[str, Any]]], mechanism: str
) -> None:
    options, expected = STAND_INS[mechanism]
    (scan,) = explained(f"{SEARCH} AND attention_type = '{mechanism}' AND options = '{options}'")
    assert scan["Projections"] == expected
