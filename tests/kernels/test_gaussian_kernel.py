"""The Gaussian kernel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import NumericOverflow
from ruattn_fdw.kernels.registry import find
from samples import sample
from scoring_twins import gaussian_kernel
from test_golden import load


@pytest.mark.parametrize("bandwidth", [0.7, 3.0])
def test_a_bandwidth_replaces_the_default(bandwidth):
    query, keys = sample()
    weights = attend(find("rbf"), query, keys, options={"bandwidth": bandwidth}, num_heads=4)
    expected = gaussian_kernel(query, keys, 4, bandwidth=bandwidth)
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)


@given(seed=st.integers(0, 2**31), length=st.floats(0.1, 10))
def test_over_keys_of_one_length_it_is_scaled_dot(seed, length):
    query, keys = sample(seed=seed)
    keys = (length * keys / np.linalg.norm(keys, axis=1, keepdims=True)).astype(np.float32)
    mine, plain = (attend(find(name), query, keys) for name in ("gaussian_kernel", "scaled_dot"))
    np.testing.assert_allclose(mine.score, plain.score, rtol=2e-5)


def test_a_key_like_the_query_has_the_logit_0():
    query, keys = sample()
    keys[7] = query
    weights = attend(find("gaussian_kernel"), query, keys)
    assert weights.logit[7] == 0
    assert weights.logit.max() == 0


def test_a_bandwidth_whose_square_is_no_number_overflows():
    query = np.array([0.5, -0.5], np.float32)
    with pytest.raises(NumericOverflow):
        attend(find("gaussian_kernel"), query, np.stack([query, -query]), options={"bandwidth": 1e-300})


def test_near_keys_far_from_the_origin_keep_their_distances():
    query, keys = sample(100)
    query, keys = query + np.float32(100), query + np.float32(100) + keys * np.float32(1e-3)
    weights = attend(find("gaussian_kernel"), query, keys)
    expected = gaussian_kernel(query, keys)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-3)


def test_it_agrees_with_scikit_learn():
    golden = load("gaussian_kernel")
    weights = attend(
        find("gaussian_kernel"),
        golden["query"],
        golden["keys"],
        options={"bandwidth": float(golden["bandwidth"])},
    )
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5)
    twin = gaussian_kernel(golden["query"], golden["keys"], bandwidth=float(golden["bandwidth"]))
    np.testing.assert_allclose(twin.score, golden["weights"], rtol=0, atol=1e-15)
