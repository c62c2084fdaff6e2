"""The selective state space model."""

from __future__ import annotations

from math import exp, log1p

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import NumericOverflow
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from samples import sample
from sequence_twins import ssm_output
from test_golden import load

SSM = find("selective_ssm")
ORDER = Order(np.arange(63.0), np.arange(63))


def test_the_sums_over_keys_are_the_states_of_the_recurrence():
    _, keys = sample()
    random = np.random.RandomState(2)
    values, steps = random.standard_normal((63, 7)).astype(np.float32), random.uniform(-4, 2, 63)
    settings = Settings(SSM, 60, options={"dt_column": "dt"})
    blocks = outputs(settings, keys, keys, values, place=ORDER.at_key, columns={"dt_column": steps})
    wide = keys.astype(np.float64)
    expected = ssm_output(wide, wide, values.astype(np.float64), steps)
    np.testing.assert_allclose(np.concatenate([b.output for b in blocks]), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("step", [-2.0, 0.5])
@pytest.mark.parametrize("heads", [1, 5])
def test_a_constant_step_is_retention_without_its_scale(step, heads):
    query, keys = sample()
    weights = attend(SSM, query, keys, num_heads=heads, options={"dt": step}, positions=ORDER.at(40.0))
    gamma = {"gamma": exp(-log1p(exp(step)))}
    plain = attend(find("retention"), query, keys, num_heads=heads, options=gamma, positions=ORDER.at(40.0))
    np.testing.assert_allclose(weights.score, plain.score * np.sqrt(60 / heads), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(weights.logit), np.isnan(plain.logit))


def test_by_default_a_row_fades_as_in_retention():
    query, keys = sample()
    mine, plain = (attend(m, query, keys, positions=ORDER.at()) for m in (SSM, find("retention")))
    np.testing.assert_allclose(mine.score, plain.score * np.sqrt(60), rtol=1e-5, atol=1e-6)


def test_rows_count_by_rank_whatever_lies_between_them():
    query, keys = sample()
    near = attend(SSM, query, keys, positions=ORDER.at())
    far = attend(SSM, query, keys, positions=Order(np.arange(63.0) * 1e6, np.arange(63)).at())
    np.testing.assert_array_equal(near.score, far.score)


def test_a_large_step_forgets_what_was_before_it():
    query, keys = sample()
    steps = np.full(63, -20.0)
    steps[50] = 1000
    weights = attend(
        SSM, query, keys, options={"dt_column": "dt"}, positions=ORDER.at(), columns={"dt_column": steps}
    )
    assert (weights.score[:50] == 0).all()
    assert (weights.score[50:] != 0).all()


@pytest.mark.parametrize("large", [1e6, 1e17])
def test_rows_after_a_large_step_fade_as_without_it(large):
    query, keys = sample()
    steps = np.zeros(63)
    plain = attend(SSM, query, keys, options={"dt": 0.0}, positions=ORDER.at())
    steps[50] = large
    reset = attend(
        SSM, query, keys, options={"dt_column": "dt"}, positions=ORDER.at(), columns={"dt_column": steps}
    )
    np.testing.assert_array_equal(reset.score[50:], plain.score[50:])


@pytest.mark.parametrize("rank", [-1, 0, 1])
def test_a_query_at_the_start_sees_what_is_not_after_it(rank):
    query, keys = sample()
    weights = attend(SSM, query, keys, positions=ORDER.at(float(rank)))
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(weights.logit)), np.arange(rank + 1))
    assert np.isfinite(weights.score).all()


def test_it_agrees_with_the_scan_of_mamba():
    golden = load("selective_ssm")
    for row in (0, 30, 62):
        weights = attend(
            SSM,
            golden["queries"][row].astype(np.float32),
            golden["keys"],
            options={"dt_column": "dt"},
            positions=ORDER.at_key(row),
            columns={"dt_column": golden["steps"]},
        )
        np.testing.assert_allclose(
            weights.score @ golden["values"], golden["output"][row], rtol=1e-4, atol=1e-5
        )


def test_an_output_beyond_float32_is_an_error():
    _, keys = sample()
    keys *= np.float32(1e15)
    with pytest.raises(NumericOverflow, match="an output overflows single precision"):
        list(outputs(Settings(SSM, 60), keys, keys, None, place=ORDER.at_key))
