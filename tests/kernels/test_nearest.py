"""The k best keys of many queries: the same rows in the same order as one query after the other."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels import nearest as module
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, NumericOverflow
from ruattn_fdw.kernels.nearest import nearest
from ruattn_fdw.kernels.registry import find
from twins import order


def sample(m=9, n=3000, d=24, size=1.0, seed=4):
    random = np.random.RandomState(seed)
    queries, keys = random.standard_normal((m, d)), random.standard_normal((n, d))
    return (queries * size).astype(np.float32), (keys * size).astype(np.float32), random.permutation(n)


def rows_of(answers):
    answers = list(answers)
    fields = ("query", "row", "score", "logit", "rank", "lse")
    return {field: np.concatenate([getattr(a, field) for a in answers]) for field in fields}


@pytest.fixture
def _only_selection(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a query was answered by itself")

    monkeypatch.setattr(module, "_in_order", refuse)


def assert_answers(found, mechanism, queries, keys, ids, k, heads=1):
    for place, query in enumerate(queries):
        expected = TWINS[mechanism.name](query, keys, num_heads=heads)
        wanted = order(expected, ids)[:k]
        mine = found["query"] == place
        np.testing.assert_array_equal(found["row"][mine], wanted)
        np.testing.assert_array_equal(found["rank"][mine], np.arange(1, len(wanted) + 1))
        np.testing.assert_allclose(found["score"][mine], expected.score[wanted], rtol=1e-5)
        np.testing.assert_allclose(found["logit"][mine], expected.logit[wanted], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found["lse"][mine][0], expected.lse, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("_only_selection")
@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize("mechanism", [m for m in PLAIN if m.features], ids=lambda m: m.name)
def test_selection_from_products_is_exact(mechanism, k):
    queries, keys, ids = sample(size=0.4)
    found = rows_of(nearest(Settings(mechanism, 24, 1), queries, keys, ids, k))
    assert_answers(found, mechanism, queries, keys, ids, k)


@pytest.mark.parametrize(("heads", "k"), [(1, None), (1, 2999), (4, 10), (4, None)])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_other_answers_come_one_query_after_the_other(mechanism, heads, k):
    queries, keys, ids = sample(m=2)
    found = rows_of(nearest(Settings(mechanism, 24, heads), queries, keys, ids, k))
    assert_answers(found, mechanism, queries, keys, ids, k, heads)


def test_large_logits_are_scored_one_query_after_the_other():
    queries, keys, ids = sample(size=8)
    found = rows_of(nearest(Settings(find("scaled_dot"), 24), queries, keys, ids, 10))
    assert_answers(found, find("scaled_dot"), queries, keys, ids, 10)


@pytest.mark.usefixtures("_only_selection")
@pytest.mark.parametrize("direction", [1, -1])
def test_keys_that_get_better_and_better_are_selected_too(direction):
    queries, keys, ids = sample(n=20_000)
    queries[:] = queries[0] + 0.01 * queries
    keys = keys[np.argsort(direction * (keys @ queries[0]))]
    found = rows_of(nearest(Settings(find("scaled_dot"), 24), queries, keys, ids, 10))
    assert_answers(found, find("scaled_dot"), queries, keys, ids, 10)


def test_equal_keys_rank_by_id():
    queries, keys, ids = sample(m=3)
    keys[:] = keys[0]
    found = rows_of(nearest(Settings(find("scaled_dot"), 24), queries, keys, ids, 10))
    for place in range(3):
        np.testing.assert_array_equal(ids[found["row"][found["query"] == place]], np.arange(10))


def test_too_many_equal_keys_are_left_to_one_query_after_the_other(monkeypatch):
    alone = []
    in_order = module._in_order

    def counted(*arguments):
        alone.append(1)
        return in_order(*arguments)

    monkeypatch.setattr(module, "_in_order", counted)
    queries, keys, ids = sample(m=3, n=100_000, d=8)
    keys[:] = keys[0]
    found = rows_of(nearest(Settings(find("scaled_dot"), 8), queries, keys, ids, 3))
    assert len(alone) == 3
    np.testing.assert_array_equal(ids[found["row"]], [0, 1, 2] * 3)


def test_keys_closer_than_float32_can_tell_rank_by_float64():
    random = np.random.RandomState(9)
    queries = random.standard_normal((4, 64)).astype(np.float32)
    keys = (queries[0] + random.standard_normal((2000, 64)) * 1e-6).astype(np.float32)
    ids = random.permutation(2000)
    found = rows_of(nearest(Settings(find("scaled_dot"), 64), queries, keys, ids, 20))
    assert_answers(found, find("scaled_dot"), queries, keys, ids, 20)


@pytest.mark.parametrize("heads", [1, 4])
def test_a_normaliser_for_each_query_takes_the_place_of_its_lse(heads):
    queries, keys, ids = sample()
    settings = Settings(find("scaled_dot"), 24, heads)
    whole = rows_of(nearest(settings, queries, keys, ids, 10))
    lse = whole["lse"][whole["rank"] == 1].reshape(-1)
    half = rows_of(nearest(settings, queries, keys[:1500], ids[:1500], 10, normaliser=lse))
    both = {(q, r): s for q, r, s in zip(whole["query"], whole["row"], whole["score"], strict=True)}
    shared = [
        (score, both[query, row])
        for query, row, score in zip(half["query"], half["row"], half["score"], strict=True)
        if (query, row) in both
    ]
    assert len(shared) > 20
    np.testing.assert_allclose(*np.array(shared).T, rtol=1e-5)


@pytest.mark.parametrize(
    ("normaliser", "message"),
    [
        (np.zeros(8), "normaliser has 8 values, 9 queries with 1 heads each need 9"),
        (np.full(9, -1e6), r"normaliser is -1e\+06, the largest logit is"),
    ],
)
def test_a_normaliser_that_cannot_be_one_is_an_error(normaliser, message):
    queries, keys, ids = sample()
    with pytest.raises(InvalidOption, match=message):
        list(nearest(Settings(find("scaled_dot"), 24), queries, keys, ids, 5, normaliser=normaliser))


def test_an_overflow_names_the_key():
    queries, keys, ids = sample()
    keys[77] = 1e38
    with pytest.raises(NumericOverflow) as caught:
        list(nearest(Settings(find("scaled_dot"), 24), queries * 1e3, keys, ids, 5))
    assert caught.value.row == 77


def test_a_cancel_gets_in_between_blocks():
    queries, keys, ids = sample(n=20_000)
    calls = []
    settings = Settings(find("scaled_dot"), 24)
    list(nearest(settings, queries, keys, ids, 5, checkpoint=lambda: calls.append(1)))
    assert len(calls) >= 20_000 / module.KEYS


def test_memory_is_that_of_a_block_and_not_of_all_pairs():
    queries, keys, ids = sample(m=2000, n=20_000)
    tracemalloc.start()
    found = rows_of(nearest(Settings(find("scaled_dot"), 24), queries, keys, ids, 10))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found["row"]) == 20_000
    assert peak < 40_000_000 < 4 * 2000 * 20_000


def test_no_keys_or_no_queries_give_no_answers():
    queries, keys, ids = sample()
    settings = Settings(find("scaled_dot"), 24)
    assert list(nearest(settings, queries, keys[:0], ids[:0], 5)) == []
    assert list(nearest(settings, queries[:0], keys, ids, 5)) == []
