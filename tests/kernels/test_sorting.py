"""Sorting in pieces gives what sorting in one go does, and lets a cancel in."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.sorting import PIECE, in_order, median

RANDOM = np.random.default_rng(3)
MANY = 5 * PIECE


def many(kind: str) -> np.ndarray:
    """So many values of which none, some or all are equal, or none is a number."""
    values = RANDOM.standard_normal(MANY).astype(np.float32)
    equal = np.zeros(MANY, np.float32)
    return {
        "different": values,
        "sorted": np.sort(values),
        "few": np.round(values),
        "half": np.where(values > 0, values, equal),
        "equal": equal,
        "nan": np.where(values > 0, values, np.float32("nan")),
    }[kind]


@pytest.mark.parametrize("last", ["different", "sorted", "few", "half", "equal", "nan"])
@pytest.mark.parametrize("before", ["different", "few", "equal"])
def test_it_is_what_lexsort_gives(before: str, last: str) -> None:
    keys = (RANDOM.permutation(MANY), many(before), many(last))
    np.testing.assert_array_equal(in_order(keys, uninterrupted), np.lexsort(keys))


@pytest.mark.parametrize("n", [0, 1, PIECE, PIECE + 1])
def test_of_any_length(n: int) -> None:
    keys = (RANDOM.permutation(n), RANDOM.standard_normal(n))
    np.testing.assert_array_equal(in_order(keys, uninterrupted), np.lexsort(keys))


@pytest.mark.parametrize("kind", ["different", "equal"])
def test_no_piece_is_larger_than_another(kind: str) -> None:
    calls = []
    in_order((RANDOM.permutation(MANY), many(kind)), lambda: calls.append(1))
    assert len(calls) > 2 * MANY / PIECE


def test_what_the_checkpoint_raises_comes_out() -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_order((RANDOM.permutation(MANY),), cancel)


@pytest.mark.parametrize("kind", ["different", "few", "half", "equal", "near", "far"])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 999, 1000])
def test_the_median_is_that_of_numpy(kind: str, n: int) -> None:
    values = {
        "different": RANDOM.uniform(0, 9, n),
        "few": RANDOM.integers(0, 3, n).astype(float),
        "half": np.maximum(RANDOM.standard_normal(n), 0),
        "equal": np.full(n, 2.5),
        "near": 1 + RANDOM.integers(0, 5, n) * 2.0**-52,
        "far": 10.0 ** RANDOM.integers(-300, 300, n),
    }[kind]
    parts = np.split(values, sorted(RANDOM.integers(0, n + 1, 4)))
    assert median(parts, uninterrupted) == np.median(values)
