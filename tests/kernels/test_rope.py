"""Rotary positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidShape
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from samples import assert_rounding_is_bounded, sample
from sequence_twins import rope_logits
from test_golden import load
from twins import softmax_over_heads

ROPE = find("rope")


def attend_at(position, places, query, keys, **settings):
    order = Order(np.asarray(places, np.float64), np.arange(len(keys)))
    return attend(ROPE, query, keys, positions=order.at(position), **settings)


@pytest.mark.parametrize("layout", ["interleaved", "half"])
@pytest.mark.parametrize(("n", "heads", "base"), [(1, 1, 10000.0), (63, 1, 100.0), (500, 5, 10000.0)])
def test_it_agrees_with_its_twin(n, heads, base, layout):
    query, keys = sample(n)
    places = np.random.RandomState(1).uniform(0, 1000, n)
    weights = attend_at(300.0, places, query, keys, num_heads=heads, options={"base": base, "layout": layout})
    width = 60 // heads
    logits = [
        rope_logits(query[part].astype(float), keys[:, part].astype(float), places, 300.0, base, layout)
        for part in (slice(h * width, (h + 1) * width) for h in range(heads))
    ]
    expected = softmax_over_heads(logits)
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)


@given(shift=st.integers(-(2**40), 2**40))
def test_only_the_distance_counts(shift):
    query, keys = sample()
    places = np.arange(63.0)
    before, after = (attend_at(40.0 + s, places + s, query, keys) for s in (0, shift))
    np.testing.assert_array_equal(after.score, before.score)


def test_equal_positions_are_scaled_dot():
    query, keys = sample()
    weights = attend_at(5.0, np.full(63, 5.0), query, keys, num_heads=5)
    plain = attend(find("scaled_dot"), query, keys, num_heads=5)
    np.testing.assert_allclose(weights.score, plain.score, rtol=1e-6)


def test_keys_after_the_query_are_seen():
    query, keys = sample()
    assert not np.isnan(attend_at(10.0, np.arange(63.0), query, keys).logit).any()


def test_seconds_since_1970_keep_their_fractions():
    query, keys = sample()
    places = 1.7e9 + np.arange(63) * 0.25
    weights = attend_at(1.7e9 + 4, places, query, keys)
    expected = rope_logits(query.astype(float), keys.astype(float), places - 1.7e9, 4.0)
    np.testing.assert_allclose(weights.logit, expected, atol=1e-5)


def test_the_bound_on_rounding_holds():
    query, keys = sample(500)
    ages = np.random.RandomState(4).uniform(-1e6, 1e6, 500)
    slices, options = query.astype(np.float64).reshape(5, -1), {"base": 10000.0, "layout": "half"}
    assert_rounding_is_bounded(lambda dtype: ROPE.scorer_of_ages(slices, 0.5, options, dtype)(ages), 5, keys)


def test_a_head_without_pairs_is_refused():
    with pytest.raises(InvalidShape, match="a head of 3 dimensions has no pairs"):
        attend_at(1.0, np.arange(63.0), *sample(d=6), num_heads=2)


@pytest.mark.parametrize("layout", ["interleaved", "half"])
def test_it_agrees_with_torch_and_transformers(layout):
    golden = load("rope")
    weights = attend_at(
        float(golden["position"]),
        golden["positions"],
        golden["query"],
        golden["keys"],
        options={"layout": layout},
    )
    np.testing.assert_allclose(weights.logit, golden[layout], rtol=1e-5, atol=1e-5)
    twin = rope_logits(
        golden["query"].astype(float),
        golden["keys"].astype(float),
        golden["positions"],
        float(golden["position"]),
        layout=layout,
    )
    np.testing.assert_allclose(twin, golden[layout], atol=1e-5 if layout == "half" else 1e-13)
