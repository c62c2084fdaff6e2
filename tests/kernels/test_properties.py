"""What holds for every query and every set of keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import PLAIN
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.softmax import exponentials

HEADS = 4


@st.composite
def problems(draw):
    n, width = draw(st.integers(1, 200)), draw(st.integers(1, 20))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    spread = 10.0 ** draw(st.integers(-3, 2))
    query = random.standard_normal(HEADS * width).astype(np.float32)
    return query, (spread * random.standard_normal((n, HEADS * width))).astype(np.float32)


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_weights_are_a_distribution_in_every_head(mechanism, problem):
    weights = attend(mechanism, *problem, num_heads=HEADS)
    assert (weights.head_scores >= 0).all()
    np.testing.assert_allclose(weights.head_scores.sum(axis=1, dtype=np.float64), 1, atol=2e-6)
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, atol=2e-6)


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
@given(problem=problems(), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_permuting_the_keys_permutes_the_weights(mechanism, problem, seed):
    query, keys = problem
    permuted = np.random.RandomState(seed).permutation(len(keys))
    before = attend(mechanism, query, keys, num_heads=HEADS)
    after = attend(mechanism, query, keys[permuted], num_heads=HEADS)
    np.testing.assert_allclose(after.score, before.score[permuted], rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(after.lse, before.lse, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
@given(problem=problems(), shift=st.integers(-1000, 1000))
@settings(max_examples=40, deadline=None)
def test_a_constant_added_to_all_logits_changes_nothing(mechanism, problem, shift):
    # whole numbers, so that float32 adds them without rounding
    logits = np.round(problem[1].T * 8).astype(np.float32)
    plain, shifted = np.empty_like(logits), np.empty_like(logits)
    options = {option.name: option.default for option in mechanism.parameters}
    before = mechanism.normalise(logits, plain, options, uninterrupted)
    after = mechanism.normalise(logits + np.float32(shift), shifted, options, uninterrupted)
    np.testing.assert_array_equal(shifted, plain)
    np.testing.assert_allclose(after.lse, before.lse + shift, rtol=1e-12, atol=1e-9)


@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_multi_head_with_one_head_is_scaled_dot(problem):
    one_head = attend(find("multi_head"), *problem, num_heads=1)
    plain = attend(find("scaled_dot"), *problem)
    np.testing.assert_array_equal(one_head.score, plain.score)
    np.testing.assert_array_equal(one_head.logit, plain.logit)


@given(problem=problems(), block=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_flash_does_not_depend_on_its_tiles(problem, block):
    tiled = attend(find("flash_v2"), *problem, num_heads=HEADS, options={"block_size_kv": block})
    whole = attend(find("scaled_dot"), *problem, num_heads=HEADS)
    np.testing.assert_allclose(tiled.lse, whole.lse, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(tiled.score, whole.score, rtol=1e-6)


@given(problem=problems(), block=st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_online_exponentials_equal_those_of_the_whole(problem, block):
    logits = np.ascontiguousarray(problem[1].T)
    tiled, whole = np.empty_like(logits), np.empty_like(logits)
    online = find("flash_v2").normalise(logits, tiled, {"block_size_kv": block}, uninterrupted)
    plain = exponentials(logits, whole, {}, uninterrupted)
    np.testing.assert_array_equal(online.maximum, plain.maximum)
    np.testing.assert_allclose(online.total, plain.total, rtol=1e-6)
    np.testing.assert_allclose(tiled, whole, rtol=1e-6)


@given(problem=problems(), factor=st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_cosine_is_blind_to_the_length_of_keys(problem, factor):
    query, keys = problem
    before = attend(find("cosine"), query, keys, num_heads=HEADS)
    after = attend(find("cosine"), query, keys * np.float32(factor), num_heads=HEADS)
    np.testing.assert_allclose(after.logit, before.logit, atol=2e-5)
