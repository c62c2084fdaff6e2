"""Vectors near the ends of float32: a right answer or a clear error, never NaN."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import NumericOverflow
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

DOT_PRODUCTS = [find(name) for name in ("scaled_dot", "multi_head", "flash_v2")]


@pytest.mark.parametrize("mechanism", DOT_PRODUCTS, ids=lambda m: m.name)
def test_a_product_beyond_float32_is_an_error_that_names_row_and_sizes(mechanism):
    keys = np.ones((600, 8), np.float32)
    keys[511] = -1e38
    with pytest.raises(NumericOverflow, match=r"query and row 511 .* 100 and 1e\+38") as caught:
        attend(mechanism, np.full(8, 100, np.float32), keys, num_heads=2)
    assert caught.value.row == 511


@pytest.mark.parametrize("mechanism", DOT_PRODUCTS, ids=lambda m: m.name)
def test_infinities_that_cancel_are_no_silent_nan(mechanism):
    keys = np.array([[1e38, -1e38], [1, 1]], np.float32)
    with pytest.raises(NumericOverflow):
        attend(mechanism, np.full(2, 1e30, np.float32), keys, num_heads=1)


def test_a_temperature_that_overflows_is_an_error():
    with pytest.raises(NumericOverflow):
        attend(find("scaled_dot"), np.ones(4, np.float32), np.ones((3, 4), np.float32), temperature=1e-300)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sheaf", {"temperature": 1e-300}),
        ("diffusion", {"temperature": 1e-300}),
        ("information_bottleneck", {"options": {"beta": 1e300}}),
    ],
)
def test_what_a_mechanism_makes_of_its_logits_beyond_float32_is_an_error(name, settings):
    keys = np.random.RandomState(0).standard_normal((30, 8)).astype(np.float32)
    with pytest.raises(NumericOverflow, match=r"the logit of query and row [01] overflows"):
        attend(find(name), keys[0], keys, **settings)


@pytest.mark.parametrize("size", [1e-44, 1e-25, 1e-10, 1e5, 1e19])
@pytest.mark.parametrize("mechanism", [m for m in PLAIN if not m.kernel], ids=lambda m: m.name)
def test_equal_rows_share_alike_whatever_their_size(mechanism, size):
    query, keys = np.full(8, size, np.float32), np.full((100, 8), size, np.float32)
    weights = attend(mechanism, query, keys, num_heads=2)
    np.testing.assert_allclose(weights.score, 0.01, rtol=1e-6)
    ids = np.arange(100)[::-1]
    np.testing.assert_array_equal(next(ranked(weights, ids, 3)), [99, 98, 97])
    np.testing.assert_allclose(weights.score, 0.01, rtol=1e-6)


def test_a_zero_query_ranks_huge_keys_by_id():
    keys = np.full((100, 8), 1e25, np.float32)
    weights = attend(find("scaled_dot"), np.zeros(8, np.float32), keys)
    np.testing.assert_array_equal(next(ranked(weights, np.arange(100)[::-1], 3)), [99, 98, 97])


@pytest.mark.parametrize("size", [30.0, 1e3, 1e6])
@pytest.mark.parametrize("heads", [1, 4])
def test_large_logits_keep_the_scores_of_float64(heads, size):
    random = np.random.RandomState(4)
    query = (random.standard_normal(32) * size).astype(np.float32)
    row = random.standard_normal(32).astype(np.float32)
    keys = row + (random.standard_normal((500, 32)) / size).astype(np.float32)
    weights = attend(find("scaled_dot"), query, keys, num_heads=heads)
    expected = TWINS["scaled_dot"](query, keys, heads)
    rows = next(ranked(weights, np.arange(500), 50))
    np.testing.assert_allclose(weights.score[rows], expected.score[rows], rtol=1e-4)
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, atol=1e-3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_key_keeps_its_logit_however_few_are_asked_for(heads, seed):
    random = np.random.RandomState(seed)
    query = (random.standard_normal(60) * 1e30).astype(np.float32)
    keys = random.standard_normal((500, 60)).astype(np.float32)
    weights = attend(find("scaled_dot"), query, keys, num_heads=heads)
    for _ in ranked(weights, np.arange(500)):
        pass
    np.testing.assert_array_equal(weights.head_scores.max(axis=1), 1)
    np.testing.assert_allclose(weights.score.sum(), 1)


def test_more_heads_than_heavy_keys_each_on_a_key_of_its_own():
    keys = np.eye(256, dtype=np.float32) * 1e3
    weights = attend(find("multi_head"), np.full(256, 100, np.float32), keys, num_heads=256)
    np.testing.assert_allclose(weights.score, 1 / 256, rtol=1e-6)
