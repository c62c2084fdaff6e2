"""The table mha_search from its parameters to its rows."""

import numpy as np
import pytest

from ruattn_fdw import bridge
from ruattn_fdw.errors import AttentionError


def softmax_scores(query, keys, heads, temperature=1.0):
    """Mean over heads of the softmax of each head, and the log-sum-exp of each head, in float64."""
    sliced_query = query.astype(float).reshape(heads, -1)
    sliced_keys = keys.astype(float).reshape(len(keys), heads, -1)
    logits = np.einsum("hd,nhd->hn", sliced_query, sliced_keys) / np.sqrt(sliced_query.shape[1]) / temperature
    lse = np.log(np.exp(logits).sum(axis=1))
    weights = np.exp(logits - lse[:, None])
    return weights.mean(axis=0), logits.mean(axis=0), weights, lse


def test_rows_come_best_first_with_their_scores(host, search):
    query = host.keys[10] + 0.1
    score, logit, weights, lse = softmax_scores(query, host.keys, 8)
    best = np.argsort(-score)
    rows = search(("id", "score", "logit", "rank", "head_scores", "lse"), query=query, k=10)
    assert rows["id"] == host.ids[best[:10]].tolist()
    assert rows["rank"] == list(range(1, 11))
    np.testing.assert_allclose(rows["score"], score[best[:10]], rtol=1e-5)
    np.testing.assert_allclose(rows["logit"], logit[best[:10]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rows["head_scores"], weights[:, best[:10]].T, rtol=1e-5)
    np.testing.assert_allclose(rows["lse"], [lse] * 10, rtol=1e-6)


def test_without_k_every_row_comes_and_scores_sum_to_one(search, host):
    rows = search(query=host.keys[0])
    assert sorted(rows["id"]) == host.ids.tolist()
    assert sum(map(float, rows["score"])) == pytest.approx(1, rel=1e-5)


def test_the_first_batch_is_small(open_table, host):
    scan = bridge.start(open_table("mha_search"), {"table_name": "documents", "query_id": 1}, ["id"], {})
    count, _ = scan.next()
    assert count < len(host.ids)


def test_k_beyond_the_rows_gives_all_of_them(search, host):
    assert len(search(query_id=1, k=10_000)["id"]) == len(host.ids)


def test_ties_are_ordered_by_id(search, host):
    host.keys[:] = host.keys[0]
    assert search(query_id=1, k=5)["id"] == [1, 2, 3, 4, 5]


def test_query_id_is_the_rows_own_vector_and_the_row_is_a_key(search, host):
    by_id = search(query_id=42, k=3)
    assert by_id == search(query=host.keys[41], k=3)
    assert by_id["id"][0] == 42


def test_query_id_may_lie_outside_the_candidates(search):
    assert sorted(search(query_id=42, candidates=[1, 2])["id"]) == [1, 2]


def test_candidates_restrict_before_normalisation(search, host):
    rows = search(query=host.keys[0], candidates=np.array([3, 5, 5, 7, 10**12]))
    assert sorted(rows["id"]) == [3, 5, 7]
    assert sum(map(float, rows["score"])) == pytest.approx(1, rel=1e-6)


def test_no_candidates_give_no_rows(search, host):
    assert search(query=host.keys[0], candidates="{}")["id"] == []


def test_an_empty_relation_gives_no_rows(search, host):
    host.null_ids = host.ids
    assert search(query=host.keys[0])["id"] == []


def test_a_common_normaliser_merges_two_halves(search, host):
    query = host.keys[0]
    whole = search(("id", "score", "lse"), query=query)
    halves = [
        search(("id", "score"), query=query, candidates=half, normaliser=whole["lse"][0])
        for half in (host.ids[:150], host.ids[150:])
    ]
    merged = {
        row_id: score for half in halves for row_id, score in zip(half["id"], half["score"], strict=True)
    }
    for row_id, score in zip(whole["id"], whole["score"], strict=True):
        assert merged[row_id] == pytest.approx(score, rel=1e-5)


def test_parameters_show_what_is_in_effect(search, host):
    names = (
        "query",
        "num_heads",
        "temperature",
        "attention_type",
        "id_column",
        "vector_column",
        "k",
        "query_id",
    )
    rows = search(names, query=host.keys[0], k=1, attention_type="mha")
    shown = {name: rows[name][0] for name in names[1:]}
    assert rows["query"][0] is not None
    assert shown == {
        "num_heads": 8,
        "temperature": 1.0,
        "attention_type": "mha",
        "id_column": "id",
        "vector_column": "embedding",
        "k": 1,
        "query_id": None,
    }


def test_defaults_follow_the_mechanism(search):
    rows = search(("num_heads", "temperature"), query_id=1, k=1, attention_type="cosine")
    assert (rows["num_heads"][0], rows["temperature"][0]) == (1, 0.1)


def test_temperature_sharpens(search):
    assert search(query_id=1, k=1, temperature=0.05)["score"][0] > 2 * search(query_id=1, k=1)["score"][0]


def test_cancel_is_asked_for_while_scoring(search, host):
    before = host.checks
    search(query_id=1, k=1)
    assert host.checks > before


@pytest.mark.parametrize(
    ("quals", "sqlstate", "message"),
    [
        ({"query": [1.0, 2.0, 3.0]}, "22023", r"query has 3 dimensions, documents\.embedding has 16"),
        ({"query_id": 1, "num_heads": 3}, "22023", "num_heads is 3"),
        ({"query_id": 1, "k": 0}, "22023", "k must be between 1 and 2147483647, got 0"),
        ({"query_id": 1, "temperature": 0.001, "attention_type": "cosine"}, "22023", "temperature is 0.001"),
        ({"query_id": 1, "attention_type": "mutli_head"}, "22023", "mutli_head"),
        ({"query_id": 1, "options": '{"bogus": 1}'}, "22023", "bogus"),
        ({"query_id": 1, "normaliser": [1.0]}, "22023", "normaliser has 1 values, num_heads is 8"),
        ({"query_id": 1, "position": 3.0}, "0A000", 'parameter "position" is not used by multi_head'),
        ({"query_id": 1, "attention_type": "hopfield", "model": "m"}, "0A000", "hopfield takes no weights"),
        ({"queries": [[1.0]]}, "0A000", 'parameter "queries" is not used by multi_head'),
        ({"query_id": 1, "order_column": "id"}, "0A000", 'parameter "order_column" is not used by'),
        ({}, "0A000", 'needs the parameter "query" or "query_id"'),
    ],
)
def test_bad_parameters_are_errors(search, quals, sqlstate, message):
    with pytest.raises(AttentionError, match=message) as caught:
        search(**quals)
    assert caught.value.sqlstate == sqlstate


def test_bad_options_are_found_before_rows_are_read(search, host):
    with pytest.raises(AttentionError):
        search(query_id=1, options='{"bogus": 1}')
    assert host.selected == []


def test_an_overflow_names_the_row(search, host):
    host.keys[6] = 1e30
    with pytest.raises(
        AttentionError, match=r"documents\.embedding of id 7 overflows single precision"
    ) as caught:
        search(query=np.full(16, 1e20, np.float32))
    assert caught.value.sqlstate == "22003"
