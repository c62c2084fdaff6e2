"""Principal components of rows, whichever products they come out of."""

from __future__ import annotations

import time

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.components import components
from ruattn_fdw.kernels.registry import find


@pytest.mark.parametrize(("n", "d"), [(50, 8), (8, 8), (7, 8), (3, 40), (1, 5)])
@pytest.mark.parametrize("centred", [True, False])
def test_they_are_singular_values_and_vectors(n, d, centred):
    rows = np.random.default_rng(3).standard_normal((n, d)).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64) if centred else 0.0
    values, directions = components(rows, mean, lambda: None)
    _, lengths, right = np.linalg.svd(rows - np.asarray(mean, np.float64), full_matrices=False)
    np.testing.assert_allclose(values[::-1], lengths**2, rtol=1e-9, atol=1e-9)
    for value, direction, vector in zip(values[::-1], directions.T[::-1], right, strict=True):
        if value > 1e-9:
            assert abs(direction @ vector) == pytest.approx(1, rel=1e-9)


def test_directions_without_extent_add_nothing():
    rows = np.ones((3, 6), np.float32)
    values, directions = components(rows, 0.0, lambda: None)
    np.testing.assert_allclose((directions * values) @ directions.T, rows.T @ rows, rtol=1e-12)


@pytest.mark.parametrize("name", ["multi_head_latent", "sheaf"])
def test_a_few_rows_of_many_dimensions_take_no_minutes(name):
    rows = np.random.default_rng(4).standard_normal((3, 3000)).astype(np.float32)
    start = time.process_time()
    attend(find(name), rows[0], rows)
    assert time.process_time() - start < 1
