"""A window and keys that all see."""

from __future__ import annotations

import numpy as np
import pytest
from ordered import assert_sees, attend_at_rank, sample, shuffled_order
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from test_golden import load

LOCAL_GLOBAL = find("local_global")


@pytest.mark.parametrize(("window", "shared"), [(1, 0), (8, 2), (7, 5), (1000, 0), (4, 100)])
@pytest.mark.parametrize("rank", [0, 50, 99])
def test_a_query_sees_its_neighbours_and_the_first_keys(rank, window, shared):
    weights, query, keys, by_rank = attend_at_rank("local_global", rank, window=window, global_tokens=shared)
    seen = [by_rank[j] for j in range(100) if abs(rank - j) <= window // 2 or j < shared]
    assert_sees(weights, query, keys, seen)


@pytest.mark.parametrize(("rank", "everything"), [(0, True), (1, True), (2, False)])
def test_a_query_that_is_a_global_key_sees_all(rank, everything):
    query, keys = sample()
    order, by_rank = shuffled_order(100)
    weights = attend(
        LOCAL_GLOBAL,
        query,
        keys,
        options={"window": 4, "global_tokens": 2},
        positions=order.at_key(by_rank[rank]),
    )
    assert (~np.isnan(weights.logit)).all() == everything


def test_an_external_query_sees_half_a_window_of_the_newest():
    query, keys = sample()
    positions = Order(np.arange(100.0), np.arange(100)).at()
    options = {"window": 8, "global_tokens": 1}
    weights = attend(LOCAL_GLOBAL, query, keys, num_heads=2, options=options, positions=positions)
    assert_sees(weights, query, keys, [0, *range(95, 100)])


def test_a_column_marks_the_global_keys():
    query, keys = sample()
    marks = np.zeros(100)
    marks[[3, 40]] = 1
    order = Order(np.arange(100.0), np.arange(100))
    given = {
        "options": {"window": 2, "global_column": "c"},
        "columns": {"global_column": marks},
        "num_heads": 2,
    }
    weights = attend(LOCAL_GLOBAL, query, keys, positions=order.at_key(70), **given)
    assert_sees(weights, query, keys, [3, 40, 69, 70, 71])
    assert not np.isnan(attend(LOCAL_GLOBAL, query, keys, positions=order.at_key(40), **given).logit).any()


def test_without_global_keys_it_is_the_window_around_the_query():
    query, keys = sample()
    positions = shuffled_order(100)[0].at(500.0)
    mine = attend(LOCAL_GLOBAL, query, keys, options={"window": 9, "global_tokens": 0}, positions=positions)
    window = {"window_size": 9, "causal": False}
    other = attend(find("sliding_window"), query, keys, options=window, positions=positions)
    np.testing.assert_array_equal(mine.score, other.score)


def test_it_agrees_with_torch():
    golden = load("local_global")
    order = Order(np.arange(len(golden["keys"]), dtype=np.float64), np.arange(len(golden["keys"])))
    for row, query in enumerate(golden["keys"]):
        options = {"window": 9, "global_tokens": 2}
        weights = attend(LOCAL_GLOBAL, query, golden["keys"], options=options, positions=order.at_key(row))
        np.testing.assert_allclose(weights.score, golden["weights"][row], rtol=1e-5, atol=1e-12)
