"""Codes of keys, and the bounds that are kept beside them."""

from __future__ import annotations

import numpy as np
import pytest
from approximate_cases import DTYPES, KINDS, decoded, encode, hard_keys, written
from ruattn_fdw.kernels.approximate.codes import layout, levels, no_residuals, room, write

pytestmark = pytest.mark.parametrize("dtype", DTYPES)


def residuals(keys, level):
    values = decoded(level.values, *keys.shape)
    return keys.astype(float) - values * level.scale.astype(float)[:, None]


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_no_longer_than_is_kept(dtype, kind):
    keys = hard_keys(kind, 200, 60)
    for level in levels(encode(keys, dtype)):
        apart = residuals(keys, level)
        assert (np.sqrt((apart**2).sum(axis=1)) <= level.length).all()
        assert (np.abs(apart).max(axis=1) <= level.largest).all()


@pytest.mark.parametrize("kind", ["normal", "1e30", "one direction", "an outlying dimension"])
def test_codes_are_as_close_as_they_can_be(dtype, kind):
    keys = hard_keys(kind, 200, 60)
    largest = np.abs(keys).max(axis=1)
    steps = {"int8": 2 * 127, "float16": 2**11}[dtype]
    arrays = encode(keys, dtype)
    assert (arrays["residual_largest"] <= 1.001 * largest / steps).all()
    if dtype == "int8":
        assert (arrays["sketch_residual_largest"] <= 1.001 * largest * 8 / 127).all()


def test_each_row_is_stored_by_itself(dtype):
    keys = hard_keys("tiny and large", 50, 60)
    together, alone = levels(encode(keys, dtype)), levels(encode(keys[7:8], dtype))
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_array_equal(decoded(many.values, 8, 60)[7:], decoded(one.values, 1, 60))
        assert many.scale[7] == one.scale[0]
        assert (many.length[7], many.largest[7]) == (one.length[0], one.largest[0])


@pytest.mark.parametrize("width", [1, 7, 8, 60])
def test_rows_are_added_behind_others(dtype, width):
    keys = hard_keys("normal", 50, width)
    arrays = encode(keys, dtype)
    grown = {name: np.zeros((room(50), *shape), kind) for name, kind, shape in layout(dtype, width)}
    for first, end in ((0, 3), (3, 20), (20, 50)):
        write(grown, first, keys[first:end])
    for name, array in arrays.items():
        np.testing.assert_array_equal(grown[name][: len(array)], array)


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
    arrays, _ = written(keys, dtype)
    total = no_residuals(dtype, 60)
    for first, end in ((0, 20), (20, 50)):
        total += written(keys[first:end], dtype)[1]
    assert total.rows == 50
    for vector, level in zip(total.vectors, levels(arrays), strict=True):
        np.testing.assert_allclose(vector, residuals(keys, level).sum(axis=0), rtol=1e-9, atol=1e-12)
