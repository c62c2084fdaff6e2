"""Linear biases."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.positional.alibi import slopes_of
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from samples import assert_rounding_is_bounded, sample
from sequence_twins import alibi_logits
from test_golden import load
from twins import softmax_over_heads

ALIBI = find("alibi")


def attend_at(position, places, query, keys, **settings):
    order = Order(np.asarray(places, np.float64), np.arange(len(keys)))
    return attend(ALIBI, query, keys, positions=order.at(position), **settings)


@pytest.mark.parametrize(("heads", "temperature"), [(1, 1.0), (5, 0.3)])
def test_it_agrees_with_its_twin(heads, temperature):
    query, keys = sample()
    places, width = np.random.RandomState(1).uniform(0, 50, 63), 60 // heads
    weights = attend_at(
        60.0, places, query, keys, num_heads=heads, temperature=temperature, options={"slope": 0.1}
    )
    logits = [
        alibi_logits(query[part].astype(float), keys[:, part].astype(float), places, 60.0, 0.1) / temperature
        for part in (slice(h * width, (h + 1) * width) for h in range(heads))
    ]
    np.testing.assert_allclose(weights.score, softmax_over_heads(logits).score, rtol=1e-5)


def test_keys_after_the_query_are_hidden_if_causal():
    query, keys = sample()
    hidden = attend_at(30.0, np.arange(63.0), query, keys)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(hidden.logit)), np.arange(31, 63))
    both = attend_at(30.0, np.arange(63.0), query, keys, options={"causal": False})
    assert not np.isnan(both.logit).any()


def test_without_a_slope_it_is_causal_attention():
    query, keys = sample()
    order = Order(np.arange(63.0), np.arange(63)).at(30.0)
    mine, plain = attend_at(30.0, np.arange(63.0), query, keys, options={"slope": 0}), None
    plain = attend(find("causal"), query, keys, positions=order)
    np.testing.assert_array_equal(mine.score, plain.score)


def test_each_unit_of_age_costs_the_slope():
    query, keys = sample()
    keys[:] = keys[0]
    weights = attend_at(62.0, np.arange(63.0), query, keys, options={"slope": 0.05})
    np.testing.assert_allclose(weights.score[1:] / weights.score[:-1], np.exp(0.05), rtol=1e-5)


@pytest.mark.parametrize("heads", [1, 8])
def test_default_slopes_halve_from_head_to_head(heads):
    expected = [2 ** (-8 * h / heads) for h in range(1, heads + 1)]
    np.testing.assert_array_equal(slopes_of(heads, {"slope": None}), expected)


def test_the_bound_on_rounding_holds():
    query, keys = sample(500)
    ages = np.random.RandomState(4).uniform(0, 1e5, 500)
    slices = query.astype(np.float64).reshape(4, -1)
    assert_rounding_is_bounded(
        lambda dtype: ALIBI.scorer_of_ages(slices, 0.5, {"slope": None}, dtype)(ages), 4, keys
    )


def test_it_agrees_with_torch_and_the_slopes_of_bloom():
    golden = load("alibi")
    np.testing.assert_allclose(slopes_of(8, {"slope": None}), golden["slopes"], rtol=1e-7)
    order = Order(np.arange(63.0), np.arange(63))
    for row in (0, 10, 62):
        weights = attend(ALIBI, golden["keys"][row], golden["keys"], num_heads=8, positions=order.at_key(row))
        np.testing.assert_allclose(weights.head_scores, golden["weights"][:, row], rtol=2e-5, atol=1e-8)
