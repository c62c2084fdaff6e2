"""The keys most alike to each key."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.topology.neighbours import NEAREST_KEYS, largest, unit_rows


def keys_of(n, d=5, seed=0):
    return np.random.RandomState(seed).standard_normal((n, d)).astype(np.float32)


def nearest(keys, k):
    return NEAREST_KEYS.of(keys, k, checkpoint=uninterrupted)


@pytest.mark.parametrize("k", [1, 2, 5, 100])
@pytest.mark.parametrize("n", [1, 2, 6, 200])
def test_they_are_the_first_when_all_are_sorted(n, k):
    keys = keys_of(n)
    found = nearest(keys, k)
    cosines = unit_rows(keys) @ unit_rows(keys).T
    for key in range(n):
        others = sorted((other for other in range(n) if other != key), key=lambda other: -cosines[key, other])
        np.testing.assert_array_equal(found.rows[key], others[:k])
        np.testing.assert_allclose(found.cosines[key], cosines[key, others[:k]], rtol=1e-12)


@pytest.mark.parametrize("k", [1, 4, 7])
def test_of_equally_near_keys_the_first_count(k):
    keys = np.tile(np.eye(3, dtype=np.float32), (5, 1))
    for key, rows in enumerate(nearest(keys, k).rows):
        same = [other for other in range(15) if other % 3 == key % 3 and other != key]
        rest = [other for other in range(15) if other % 3 != key % 3]
        np.testing.assert_array_equal(rows, (same + rest)[:k])


@pytest.mark.parametrize("k", [0, 1, 3, 20, 49, 50])
@pytest.mark.parametrize("values", [1, 2, 6, 1000])
def test_the_largest_of_rows_with_many_equal_numbers(k, values):
    table = np.random.RandomState(k).randint(0, values, (30, 50)).astype(float)
    table[3, 7] = -np.inf
    np.testing.assert_array_equal(largest(table, k), np.argsort(-table, axis=1, kind="stable")[:, :k])
