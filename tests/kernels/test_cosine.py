"""Cosine attention where norms are not ordinary."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find
from twins import cosine

COSINE = find("cosine")


def sample(n=40, d=12):
    random = np.random.RandomState(3)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize("heads", [1, 3])
def test_a_zero_key_has_cosine_zero(heads):
    query, keys = sample()
    keys[7] = 0
    weights = attend(COSINE, query, keys, num_heads=heads)
    assert weights.logit[7] == 0
    np.testing.assert_allclose(weights.score, cosine(query, keys, heads).score, rtol=1e-5)


def test_a_zero_slice_has_cosine_zero_in_its_head_only():
    query, keys = sample()
    keys[7, :4] = 0
    weights = attend(COSINE, query, keys, num_heads=3)
    np.testing.assert_allclose(weights.logit, cosine(query, keys, 3).logit, atol=1e-5)


def test_a_zero_query_attends_evenly():
    _, keys = sample()
    weights = attend(COSINE, np.zeros(12, np.float32), keys)
    np.testing.assert_allclose(weights.score, 1 / 40, rtol=1e-6)
    np.testing.assert_array_equal(weights.logit, 0)


@pytest.mark.parametrize("length", [1e-42, 1e-30, 1e-20, 1e19, 1e37])
def test_lengths_whose_squares_float32_cannot_hold(length):
    query, keys = sample()
    keys[::3] *= np.float32(length)
    weights = attend(COSINE, query * np.float32(length), keys, num_heads=3)
    expected = cosine(query * np.float32(length), keys, 3)
    np.testing.assert_allclose(weights.logit, expected.logit, atol=2e-5)


def test_pair_logit_is_cosine_over_temperature():
    a, b = np.array([3, 0], np.float32), np.array([4, 4], np.float32)
    assert pair_logit(COSINE, a, b, temperature=0.5) == pytest.approx(2 / np.sqrt(2), rel=1e-15)
    assert pair_logit(COSINE, a, b) == pytest.approx(10 / np.sqrt(2), rel=1e-15)
