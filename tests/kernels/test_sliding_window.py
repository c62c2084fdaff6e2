"""The sliding window."""

from __future__ import annotations

import numpy as np
import pytest
from ordered import assert_sees, attend_at_rank, sample
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find


@pytest.mark.parametrize("size", [1, 7, 100, 2**31 - 1])
@pytest.mark.parametrize("rank", [0, 3, 50, 99])
def test_the_window_ends_at_the_query(rank, size):
    weights, query, keys, by_rank = attend_at_rank("sliding_window", rank, window_size=size)
    assert_sees(weights, query, keys, [by_rank[j] for j in range(100) if 0 <= rank - j < size])


@pytest.mark.parametrize("size", [1, 7, 8])
@pytest.mark.parametrize("rank", [0, 50, 99])
def test_without_causality_the_query_is_in_the_middle(rank, size):
    weights, query, keys, by_rank = attend_at_rank("sliding_window", rank, window_size=size, causal=False)
    assert_sees(weights, query, keys, [by_rank[j] for j in range(100) if abs(rank - j) <= size // 2])


def test_a_query_without_a_position_sees_the_newest_keys():
    query, keys = sample()
    positions = Order(np.arange(100.0), np.arange(100)).at()
    weights = attend(
        find("sliding_window"), query, keys, num_heads=2, options={"window_size": 5}, positions=positions
    )
    assert_sees(weights, query, keys, range(95, 100))


def test_many_keys_outside_the_window_cost_no_precision():
    query, keys = sample(5000)
    positions = Order(np.arange(5000.0), np.arange(5000)).at(2500.0)
    weights = attend(
        find("sliding_window"), query, keys, num_heads=2, options={"window_size": 300}, positions=positions
    )
    assert_sees(weights, query, keys, range(2201, 2501))
