"""The logit of one pair."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels.errors import InvalidShape, NumericOverflow
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find


@pytest.mark.parametrize("heads", [1, 5])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_it_is_the_logit_of_a_search_over_one_key(mechanism, heads):
    query, key = np.random.RandomState(0).standard_normal((2, 60)).astype(np.float32)
    given = {"num_heads": heads, **({"temperature": 0.7} if mechanism.temperature else {})}
    expected = TWINS[mechanism.name](query, key[None], **given).logit[0]
    got = pair_logit(mechanism, query, key, **given)
    assert got == pytest.approx(expected, rel=1e-14)


def test_it_is_a_logit_and_not_a_softmax_over_one_key():
    assert pair_logit(find("scaled_dot"), np.array([1.0, 2]), np.array([3.0, 4])) == pytest.approx(
        11 / np.sqrt(2)
    )


def test_it_stays_within_float32():
    huge = np.full(4, 1e38, np.float32)
    with pytest.raises(NumericOverflow, match=r"query and key overflows.* 1e\+38 and 1e\+38"):
        pair_logit(find("scaled_dot"), huge, huge)


def test_both_widths_are_named_where_they_differ():
    with pytest.raises(InvalidShape, match="query has 3 dimensions, keys have 4"):
        pair_logit(find("scaled_dot"), np.ones(3), np.ones(4))
