"""The state of kernel mechanisms: rows come and go, and parts add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.linear.state import KernelState
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find

LINEAR = find("linear")


def sample(n=63, d=24, seed=0):
    random = np.random.RandomState(seed)
    return [random.standard_normal(shape).astype(np.float32) for shape in ((3, d), (n, d), (n, 6))]


def state_of(keys, values, mechanism="linear", heads=2):
    state = KernelState(Settings(find(mechanism), 24, heads), 6)
    state.add(keys, values)
    return state


@pytest.mark.parametrize("mechanism", ["linear", "performer"])
@given(cut=st.integers(1, 62), seed=st.integers(0, 2**31))
def test_states_of_parts_add_up(mechanism, cut, seed):
    queries, keys, values = sample(seed=seed)
    parts = state_of(keys[:cut], values[:cut], mechanism)
    parts.merge(state_of(keys[cut:], values[cut:], mechanism))
    whole = state_of(keys, values, mechanism)
    for mine, expected in zip(parts.attend(queries), whole.attend(queries), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)


@given(first=st.integers(0, 50), count=st.integers(1, 12))
def test_rows_removed_leave_no_trace(first, count):
    queries, keys, values = sample()
    gone = slice(first, first + count)
    state = state_of(keys, values)
    state.remove(keys[gone], values[gone])
    stays = np.delete(np.arange(63), gone)
    for mine, expected in zip(
        state.attend(queries), state_of(keys[stays], values[stays]).attend(queries), strict=True
    ):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cut", [0, 1, 40, 63])
def test_a_state_whose_rows_are_all_removed_answers_as_one_without_rows(cut):
    queries, keys, values = sample()
    state = state_of(keys, values)
    for part in (slice(cut), slice(cut, None)):
        state.remove(keys[part], values[part])
    for answered in (state, state_of(keys[:0], values[:0])):
        output, lse = answered.attend(queries)
        np.testing.assert_array_equal(output, np.zeros((2, 3, 3)))
        np.testing.assert_array_equal(lse, np.full((2, 3), -np.inf))


@pytest.mark.parametrize("full_first", [True, False])
def test_a_state_of_no_rows_adds_nothing(full_first):
    queries, keys, values = sample()
    full, empty = state_of(keys, values), state_of(keys[:0], values[:0])
    merged, other = (full, empty) if full_first else (empty, full)
    expected = state_of(keys, values).attend(queries)
    merged.merge(other)
    for mine, wanted in zip(merged.attend(queries), expected, strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_its_size_does_not_depend_on_the_keys():
    _, keys, values = sample(500)
    assert state_of(keys, values).sums.shape == state_of(keys[:1], values[:1]).sums.shape == (2, 12, 3)


def test_causal_linear_attention_sees_what_was_added_before():
    queries, keys, values = sample()
    order = Order(np.arange(63.0), np.arange(63))
    weights = attend(
        LINEAR, queries[0], keys, num_heads=2, options={"causal": True}, positions=order.at(20.0)
    )
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(weights.logit)), np.arange(21, 63))
    output, lse = state_of(keys[:21], values[:21]).attend(queries[:1])
    by_weights = np.einsum("hn,nhw->hw", weights.head_scores, values.reshape(63, 2, 3))
    np.testing.assert_allclose(by_weights, output[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights.lse, lse[:, 0], rtol=1e-6)


def test_causal_linear_attention_needs_an_order():
    queries, keys, _ = sample()
    with pytest.raises(InvalidOption, match="linear needs positions"):
        attend(LINEAR, queries[0], keys, options={"causal": True})
