"""Attention to the k best keys."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find
from test_golden import load
from twins import scaled_dot

TOP_K = find("top_k")


def sample(n=500, d=60, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize(("n", "k", "heads"), [(1, 1, 1), (63, 8, 1), (500, 100, 1), (500, 8, 5)])
def test_the_best_share_the_weight_as_scaled_dot_has_it(n, k, heads):
    query, keys = sample(n)
    weights = attend(TOP_K, query, keys, num_heads=heads, options={"k": k})
    best = np.sort(np.argsort(-scaled_dot(query, keys, heads).logit, kind="stable")[:k])
    expected = scaled_dot(query, keys[best], heads)
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(weights.logit)), best)
    np.testing.assert_allclose(weights.score[best], expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)
    assert (weights.score[np.setdiff1d(np.arange(n), best)] == 0).all()


@pytest.mark.parametrize("k", [500, 10_000])
def test_all_keys_are_scaled_dot(k):
    query, keys = sample()
    weights, plain = attend(TOP_K, query, keys, options={"k": k}), attend(find("scaled_dot"), query, keys)
    np.testing.assert_array_equal(weights.score, plain.score)


def test_one_key_is_the_nearest_by_inner_product():
    query, keys = sample()
    weights = attend(TOP_K, query, keys, options={"k": 1})
    assert weights.score[(keys @ query).argmax()] == 1


def test_ids_decide_between_equal_keys():
    query, keys = sample(60)
    keys[:] = keys[0]
    ids = np.random.RandomState(3).permutation(60)
    weights = attend(TOP_K, query, keys, ids=ids, options={"k": 5})
    np.testing.assert_array_equal(np.sort(ids[weights.score > 0]), np.arange(5))


def test_keys_closer_than_float32_can_tell_are_chosen_by_float64():
    query, _ = sample()
    keys = (query + np.random.RandomState(9).standard_normal((2000, 60)) * 1e-6).astype(np.float32)
    weights = attend(TOP_K, query, keys, options={"k": 20})
    exact = np.argsort(-(keys.astype(np.float64) @ query.astype(np.float64)), kind="stable")
    np.testing.assert_array_equal(np.flatnonzero(weights.score), np.sort(exact[:20]))


def test_the_answer_lists_the_others_after_them():
    query, keys = sample(100)
    weights = attend(TOP_K, query, keys)
    first, *rest = ranked(weights, np.arange(100))
    assert len(first) == 8
    np.testing.assert_array_equal(np.concatenate(rest), np.setdiff1d(np.arange(100), first))


def test_it_agrees_with_torch():
    golden = load("top_k")
    weights = attend(TOP_K, golden["query"], golden["keys"])
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5, atol=1e-12)
