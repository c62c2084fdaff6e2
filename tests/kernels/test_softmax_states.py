"""States of a softmax over parts of the keys, with outputs, merge into that over all of them."""

from __future__ import annotations

import numpy as np
from ruattn_fdw.kernels.softmax import State, merge

RANDOM = np.random.default_rng(7)
LOGITS, VALUES = RANDOM.standard_normal((5, 90)) * 9, RANDOM.standard_normal((90, 4))


def state_over(first, last):
    """The state as it reads, key by key."""
    if first == last:
        return State(np.full(5, -np.inf), np.zeros(5), np.zeros((5, 4)))
    maximum, output = LOGITS[:, first:last].max(axis=1), np.zeros((5, 4))
    total = np.zeros(5)
    for key in range(first, last):
        weight = np.exp(LOGITS[:, key] - maximum)
        total += weight
        output += weight[:, None] * VALUES[key]
    return State(maximum, total, output)


def assert_same(a, b):
    np.testing.assert_allclose(a.lse, b.lse, rtol=1e-14)
    np.testing.assert_allclose(a.output / a.total[..., None], b.output / b.total[..., None], rtol=1e-13)


def test_parts_merge_in_any_order():
    a, b, c, whole = state_over(0, 10), state_over(10, 60), state_over(60, 90), state_over(0, 90)
    assert_same(merge(merge(a, b), c), whole)
    assert_same(merge(a, merge(b, c)), whole)
    assert_same(merge(merge(c, a), b), whole)


def test_a_state_over_no_keys_changes_nothing():
    some, nothing = state_over(0, 10), state_over(0, 0)
    assert_same(merge(nothing, some), some)
    assert_same(merge(some, nothing), some)
    np.testing.assert_array_equal(merge(nothing, nothing).total, 0)
    np.testing.assert_array_equal(merge(nothing, nothing).lse, -np.inf)
