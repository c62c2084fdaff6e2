"""The causal mask."""

from __future__ import annotations

import numpy as np
import pytest
from ordered import assert_sees, attend_at_rank, sample
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find


@pytest.mark.parametrize("rank", [0, 1, 42, 98, 99])
def test_keys_after_the_query_are_masked_out(rank):
    weights, query, keys, by_rank = attend_at_rank("causal", rank)
    assert_sees(weights, query, keys, by_rank[: rank + 1])


def test_equal_positions_see_each_other():
    query, keys = sample(6)
    order = Order(np.array([1.0, 2, 2, 2, 3, 3]), np.arange(6))
    weights = attend(find("causal"), query, keys, num_heads=2, positions=order.at_key(1))
    assert_sees(weights, query, keys, [0, 1, 2, 3])


def test_a_query_at_the_newest_key_sees_what_scaled_dot_sees():
    query, keys = sample()
    order = Order(np.arange(100.0), np.arange(100))
    causal = attend(find("causal"), query, keys, positions=order.at())
    plain = attend(find("scaled_dot"), query, keys)
    np.testing.assert_array_equal(causal.score, plain.score)


def test_a_query_before_all_keys_sees_none():
    query, keys = sample()
    order = Order(np.arange(100.0), np.arange(100))
    weights = attend(find("causal"), query, keys, positions=order.at(-1.0))
    assert np.isnan(weights.logit).all()
    assert (weights.score == 0).all()
    assert list(ranked(weights, np.arange(100), 5)) == []


def test_masked_rows_come_last_by_id_and_only_where_all_rows_are_wanted():
    weights, _, _, by_rank = attend_at_rank("causal", 49)
    ids = np.arange(100)
    assert len(np.concatenate(list(ranked(weights, ids, 100)))) == 50
    rows = np.concatenate(list(ranked(weights, ids)))
    np.testing.assert_array_equal(rows[50:], np.sort(by_rank[50:]))


def test_without_positions_it_is_an_error():
    with pytest.raises(InvalidOption, match="causal needs positions"):
        attend(find("causal"), *sample())
