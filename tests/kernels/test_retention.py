"""Retention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.recurrent.retention import gammas
from ruattn_fdw.kernels.registry import find
from samples import sample
from sequence_twins import retention_output
from test_golden import load

RETENTION = find("retention")
ORDER = Order(np.arange(63.0), np.arange(63))


def test_the_sums_over_keys_are_the_states_of_the_recurrence():
    _, keys = sample()
    values = np.random.RandomState(2).standard_normal((63, 7)).astype(np.float32)
    settings = Settings(RETENTION, 60, options={"gamma": 0.9})
    blocks = list(outputs(settings, keys, keys, values, place=ORDER.at_key))
    wide = keys.astype(np.float64)
    expected = retention_output(wide, wide, values.astype(np.float64), 0.9)
    np.testing.assert_allclose(np.concatenate([b.output for b in blocks]), expected, rtol=1e-4, atol=1e-5)
    assert np.isnan(blocks[0].entropy).all()


def test_each_head_keeps_more_than_the_one_before():
    np.testing.assert_array_equal(gammas(3, None), [1 - 2**-5, 1 - 2**-6, 1 - 2**-7])
    query, keys = sample()
    weights = attend(RETENTION, query, keys, num_heads=4, positions=ORDER.at())
    for head, gamma in enumerate(gammas(4, None)):
        part = slice(15 * head, 15 * head + 15)
        dots = keys[:, part].astype(float) @ query[part].astype(float) / np.sqrt(15)
        np.testing.assert_allclose(
            weights.head_scores[head], dots * gamma ** np.arange(62, -1, -1), rtol=1e-5, atol=1e-9
        )


def test_gamma_1_keeps_everything():
    query, keys = sample()
    weights = attend(RETENTION, query, keys, options={"gamma": 1}, positions=ORDER.at())
    np.testing.assert_allclose(
        weights.score, attend(find("scaled_dot"), query, keys).logit, rtol=1e-5, atol=1e-6
    )


def test_keys_after_the_query_are_hidden_and_the_logit_is_the_weight():
    query, keys = sample()
    weights = attend(RETENTION, query, keys, positions=ORDER.at(20.0))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(weights.logit)), np.arange(21, 63))
    np.testing.assert_array_equal(weights.logit[:21], weights.score[:21])
    assert weights.lse is None
    assert (weights.score < 0).any()


@pytest.mark.parametrize("gap", [0.5, 3600.0])
def test_gamma_is_per_unit_of_the_order(gap):
    query, keys = sample(2)
    keys[1] = keys[0]
    positions = Order(np.array([0.0, gap]), np.arange(2)).at()
    weights = attend(RETENTION, query, keys, options={"gamma": 0.999}, positions=positions)
    assert weights.score[0] / weights.score[1] == pytest.approx(0.999**gap, rel=1e-5)


def test_it_agrees_with_scipy():
    golden = load("retention")
    weights = attend(
        RETENTION,
        golden["query"],
        golden["keys"],
        options={"gamma": float(golden["gamma"])},
        positions=ORDER.at(),
    )
    np.testing.assert_allclose(weights.score @ golden["values"], golden["output"], rtol=1e-5, atol=1e-5)
