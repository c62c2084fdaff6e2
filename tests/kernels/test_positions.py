"""Where keys and queries stand in an order."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.positions import Order

VALUES = np.array([5.0, 1.0, 5.0, 9.0])
IDS = np.array([7, 3, 2, 4])


def test_ranks_go_by_value_and_then_by_id():
    np.testing.assert_array_equal(Order(VALUES, IDS).at().ranks, [2, 0, 1, 3])


def test_a_query_without_a_position_stands_at_the_newest_key():
    positions = Order(VALUES, IDS).at()
    assert (positions.query_value, positions.query_rank) == (9.0, 3)
    np.testing.assert_array_equal(positions.steps, [1, 3, 2, 0])


@pytest.mark.parametrize(("value", "rank"), [(0.5, -1), (1.0, 0), (4.0, 0), (5.0, 2), (100.0, 3)])
def test_a_position_has_the_rank_of_the_newest_key_not_after_it(value, rank):
    positions = Order(VALUES, IDS).at(value)
    assert (positions.query_value, positions.query_rank) == (value, rank)


def test_a_query_that_is_a_key_stands_at_itself():
    positions = Order(VALUES, IDS).at_key(2)
    assert (positions.query_value, positions.query_rank) == (5.0, 1)


def test_no_keys_have_an_order_too():
    positions = Order(np.empty(0), np.empty(0, np.int64)).at()
    assert (positions.query_rank, len(positions.ranks)) == (-1, 0)
