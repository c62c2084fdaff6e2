"""Order of rows: score descending, logit descending, id ascending; lazily."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels.attend import Weights, attend
from ruattn_fdw.kernels.ranking import EXACT, FIRST, ranked
from ruattn_fdw.kernels.registry import find
from twins import order

# those whose scores float32 can hold at the temperatures of these tests
SOFTMAX = [mechanism for mechanism in PLAIN if mechanism.temperature and mechanism.name != "gatv2"]


def sample(n, d=24, seed=1):
    random = np.random.RandomState(seed)
    query = random.standard_normal(d).astype(np.float32)
    keys = random.standard_normal((n, d)).astype(np.float32)
    return query, keys, random.permutation(n).astype(np.int64) - n // 3


def as_weights(score, logit):
    score = np.asarray(score, np.float32)
    return Weights(score, np.asarray(logit, np.float32), score[None], None)


def all_rows(weights, ids, k=None):
    return np.concatenate([np.empty(0, np.intp), *ranked(weights, np.asarray(ids), k)])


@pytest.mark.parametrize("temperature", [1.0, 0.05])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 500, 3000])
@pytest.mark.parametrize("mechanism", SOFTMAX, ids=lambda m: m.name)
def test_the_chunks_together_are_a_full_sort_of_the_float64_scores(mechanism, n, heads, temperature):
    query, keys, ids = sample(n)
    weights = attend(mechanism, query, keys, num_heads=heads, temperature=temperature)
    rows = all_rows(weights, ids)
    expected = TWINS[mechanism.name](query, keys, heads, temperature)
    np.testing.assert_array_equal(rows, order(expected, ids))
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5, atol=1e-37)


def test_masked_rows_stand_where_their_score_0_does():
    score, logit = [-2, 0, 0, 3, 0, -1], [-2, np.nan, 0, 3, np.nan, -1]
    weights = as_weights(score, logit)
    np.testing.assert_array_equal(all_rows(weights, [5, 4, 3, 2, 1, 0]), [3, 2, 4, 1, 5, 0])
    np.testing.assert_array_equal(all_rows(weights, [5, 4, 3, 2, 1, 0], 9), [3, 2, 5, 0])


@pytest.mark.parametrize("k", [1, 10, 64, 65, 200, 2**31])
@pytest.mark.parametrize("heads", [1, 4])
def test_k_cuts_the_same_order(heads, k):
    query, keys, ids = sample(500)
    weights = attend(find("multi_head"), query, keys, num_heads=heads, temperature=0.3)
    expected = order(TWINS["multi_head"](query, keys, heads, 0.3), ids)
    np.testing.assert_array_equal(all_rows(weights, ids, k), expected[:k])


def test_chunks_start_small_and_double():
    query, keys, ids = sample(1000)
    chunks = ranked(attend(find("scaled_dot"), query, keys), ids)
    assert [len(rows) for rows in chunks] == [FIRST, 128, 256, 512, 40]


def test_a_given_k_comes_in_one_chunk():
    query, keys, ids = sample(1000)
    assert [len(rows) for rows in ranked(attend(find("scaled_dot"), query, keys), ids, 300)] == [300]


def recorded(weights):
    seen, exact = [], weights.exact

    def record(rows):
        seen.append(rows)
        return exact(rows)

    weights.exact = record
    return seen


def test_later_rows_are_not_refined_before_they_are_asked_for():
    query, keys, ids = sample(3000)
    weights = attend(find("scaled_dot"), query, keys)
    refined = recorded(weights)
    next(ranked(weights, ids))
    assert FIRST <= sum(map(len, refined)) < 2 * FIRST


@pytest.mark.parametrize("heads", [1, 4])
def test_only_the_first_rows_are_refined(heads):
    query, keys, ids = sample(6 * EXACT)
    weights = attend(find("multi_head"), query, keys, num_heads=heads)
    refined = recorded(weights)
    all_rows(weights, ids)
    assert EXACT <= sum(map(len, refined)) < 2.1 * EXACT


def test_no_row_is_refined_twice():
    query, keys, ids = sample(1000)
    keys[:] = keys[0]
    weights = attend(find("multi_head"), query, keys, num_heads=4)
    refined = recorded(weights)
    all_rows(weights, ids)
    np.testing.assert_array_equal(np.sort(np.concatenate(refined)), np.arange(1000))


@pytest.mark.parametrize("heads", [1, 4])
def test_equal_rows_have_equal_scores_and_come_by_id(heads):
    query, keys, ids = sample(2000)
    group = np.arange(2000) % 7
    weights = attend(find("multi_head"), query, keys[group], num_heads=heads, temperature=0.1)
    rows = all_rows(weights, ids)
    best_first = order(TWINS["multi_head"](query, keys[:7], heads, 0.1), np.arange(7))
    np.testing.assert_array_equal(group[rows], np.concatenate([group[group == g] for g in best_first]))
    for members in (rows[group[rows] == g] for g in range(7)):
        assert len(np.unique(weights.score[members])) == 1
        assert (np.diff(ids[members]) > 0).all()


def test_near_ties_are_decided_by_float64():
    random = np.random.RandomState(5)
    query = random.standard_normal(384).astype(np.float32)
    keys = np.tile(random.standard_normal(384).astype(np.float32), (400, 1))
    keys += (random.standard_normal((400, 384)) * 2e-7).astype(np.float32)
    ids = np.arange(400)
    for heads in (1, 8):
        weights = attend(find("multi_head"), query, keys, num_heads=heads)
        float32_order = np.lexsort((ids, -weights.score))
        expected = order(TWINS["multi_head"](query, keys, heads), ids)
        assert (float32_order[:10] != expected[:10]).any(), "the rows are no near-ties"
        np.testing.assert_array_equal(all_rows(weights, ids, 10), expected[:10])


@pytest.mark.parametrize("heads", [1, 2])
def test_long_keys_whose_logits_cancel_are_not_missed(heads):
    random = np.random.RandomState(6)
    query, ids = np.ones(128, np.float32), np.arange(1000)
    halves = (random.standard_normal((1000, 2, 64)) * 1e4).astype(np.float32)
    sums = halves[:, :, :-2].astype(np.float64).sum(axis=2)
    halves[:, :, -2] = -sums
    halves[:, :, -1] = -(sums + halves[:, :, -2]) + random.standard_normal((1000, 1)) * 1e-4
    keys = halves.reshape(1000, 128)
    weights = attend(find("multi_head"), query, keys, num_heads=heads)
    expected = order(TWINS["multi_head"](query, keys, heads), ids)
    np.testing.assert_array_equal(all_rows(weights, ids, 10), expected[:10])


def test_logits_closer_than_float32_scores_can_tell_are_decided_by_float64():
    query, keys, ids = sample(2000)
    query *= np.float32(1e-7)
    weights = attend(find("multi_head"), query, keys, num_heads=24)
    expected = order(TWINS["multi_head"](query, keys, 24), ids)
    np.testing.assert_array_equal(all_rows(weights, ids, 10), expected[:10])


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("temperature", [1.0, 1e-3])
def test_shown_scores_never_rise(heads, temperature):
    query, keys, ids = sample(3 * EXACT, 8)
    weights = attend(find("multi_head"), query, keys, num_heads=heads, temperature=temperature)
    rows = all_rows(weights, ids)
    assert sorted(rows) == list(range(len(ids)))
    assert (np.diff(weights.score[rows]) <= 0).all()


@pytest.mark.parametrize("heads", [1, 4])
def test_scores_too_small_for_float32_are_ordered_by_their_logit(heads):
    query, keys, ids = sample(300)
    weights = attend(find("multi_head"), query, keys, num_heads=heads, temperature=1e-3)
    rows = all_rows(weights, ids)
    vanished = rows[weights.score[rows] == 0]
    assert len(vanished) > 100
    logit = TWINS["multi_head"](query, keys, heads, 1e-3).logit
    np.testing.assert_array_equal(vanished, vanished[np.argsort(-logit[vanished])])


def test_scores_that_are_final_are_ordered_as_they_are():
    weights = as_weights([0.2, 0.5, 0.2, 0.0, 0.1, 0.0], [3, 1, 4, -1, 7, -1])
    np.testing.assert_array_equal(all_rows(weights, [1, 2, 3, 9, 5, 4]), [1, 2, 0, 4, 5, 3])


def test_masked_rows_come_last_by_id_and_only_without_k():
    weights = as_weights([0, 0.4, 0, 0.6], [np.nan, 1, np.nan, 2])
    ids = np.array([8, 3, 5, 1])
    np.testing.assert_array_equal(all_rows(weights, ids), [3, 1, 2, 0])
    np.testing.assert_array_equal(all_rows(weights, ids, 4), [3, 1])


def test_no_rows_give_no_chunks():
    weights = attend(find("scaled_dot"), np.ones(4, np.float32), np.zeros((0, 4), np.float32))
    assert list(ranked(weights, np.zeros(0, np.int64))) == []
    assert list(ranked(weights, np.zeros(0, np.int64), 10)) == []


def test_ids_at_the_ends_of_bigint_decide():
    weights = as_weights([0.5, 0.5, 0.5], [1, 1, 1])
    np.testing.assert_array_equal(all_rows(weights, [2**63 - 1, -(2**63), 0]), [1, 2, 0])


def test_checkpoint_may_stop_it():
    query, keys, ids = sample(1000)
    weights = attend(find("scaled_dot"), query, keys)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(ranked(weights, ids, checkpoint=stop))
