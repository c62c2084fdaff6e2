"""Codes of keys, and the bounds that are kept beside them."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import DTYPES, KINDS, hard_keys
from ruattn_fdw.kernels.approximate.codes import encode, layout, no_residuals

pytestmark = pytest.mark.parametrize("dtype", DTYPES)


def residuals(keys, arrays):
    return keys.astype(float) - arrays["codes"].astype(float) * arrays["scale"].astype(float)[:, None]


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_no_longer_than_is_kept(dtype, kind):
    keys = hard_keys(kind, 200, 60)
    arrays = encode(keys, dtype)
    apart = residuals(keys, arrays)
    assert (np.sqrt((apart**2).sum(axis=1)) <= arrays["residual_length"]).all()
    assert (np.abs(apart).max(axis=1) <= arrays["residual_largest"]).all()


@pytest.mark.parametrize("kind", ["normal", "1e30", "one direction", "an outlying dimension"])
def test_codes_are_as_close_as_they_can_be(dtype, kind):
    keys = hard_keys(kind, 200, 60)
    largest = np.abs(keys).max(axis=1)
    steps = {"int8": 2 * 127, "float16": 2**11}[dtype]
    assert (encode(keys, dtype)["residual_largest"] <= 1.001 * largest / steps).all()


def test_each_row_is_stored_by_itself(dtype):
    keys = hard_keys("tiny and large", 50, 60)
    together, alone = encode(keys, dtype), encode(keys[7:8], dtype)
    for name, array in together.items():
        np.testing.assert_array_equal(array[7:8], alone[name])


def test_the_layout_is_that_of_the_codes(dtype):
    arrays = encode(hard_keys("normal", 5, 60), dtype)
    assert [(name, array.dtype, array.shape[1:]) for name, array in arrays.items()] == layout(dtype, 60)


def test_a_float16_scale_is_a_power_of_two_and_zero_rows_are_exact(dtype):
    keys = hard_keys("zero rows", 50, 60)
    arrays = encode(keys, dtype)
    np.testing.assert_array_equal(arrays["residual_largest"][::3], 0)
    if dtype == "float16":
        np.testing.assert_array_equal(np.frexp(arrays["scale"][1::3])[0], 0.5)


def test_residuals_add_up_in_parts(dtype):
    keys = hard_keys("normal", 50, 60)
    arrays = encode(keys, dtype)
    total = no_residuals(60)
    for part in (slice(0, 20), slice(20, 50)):
        total = total.extended(keys[part], {name: array[part] for name, array in arrays.items()})
    assert total.rows == 50
    np.testing.assert_allclose(total.vector, residuals(keys, arrays).sum(axis=0), rtol=1e-9, atol=1e-12)
