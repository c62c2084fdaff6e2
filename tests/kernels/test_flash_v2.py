"""FlashAttention-2 with values: tiles of queries and keys, mergeable states, bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from ruattn_fdw.kernels.core.flash_v2 import attention_state, flash_attention
from ruattn_fdw.kernels.softmax import merge


def sample(m, n, d, width, dtype=np.float64, heads=()):
    random = np.random.RandomState(7)
    shapes = (*heads, m, d), (*heads, n, d), (*heads, n, width)
    return tuple(random.standard_normal(shape).astype(dtype) for shape in shapes)


def naive(queries, keys, values):
    output = []
    for query in queries:
        logits = keys @ query / np.sqrt(len(query))
        weights = np.exp(logits - logits.max())
        output.append(weights @ values / weights.sum())
    return np.array(output)


@pytest.mark.parametrize("block_size_kv", [1, 2, 7, 63, 64])
@pytest.mark.parametrize("block_size_q", [1, 3, 5, 64])
def test_output_is_that_of_attention_for_every_tile_size(block_size_q, block_size_kv):
    queries, keys, values = sample(5, 63, 60, 11)
    output, _ = flash_attention(queries, keys, values, block_size_q=block_size_q, block_size_kv=block_size_kv)
    np.testing.assert_allclose(output, naive(queries, keys, values), rtol=1e-13, atol=1e-14)


def test_leading_axes_are_heads_on_their_own():
    queries, keys, values = sample(5, 63, 12, 4, heads=(3,))
    output, lse = flash_attention(queries, keys, values, block_size_kv=10)
    assert output.shape == (3, 5, 4)
    assert lse.shape == (3, 5)
    for head in range(3):
        np.testing.assert_allclose(output[head], naive(queries[head], keys[head], values[head]), rtol=1e-13)


def test_float32_input_gives_float32_output():
    queries, keys, values = sample(5, 63, 60, 11, np.float32)
    output, lse = flash_attention(queries, keys, values)
    assert (output.dtype, lse.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(output, naive(queries, keys, values), rtol=1e-4, atol=1e-6)


def state_over(first, last, block=8):
    queries, keys, values = sample(5, 90, 12, 4)
    return attention_state(queries, keys[first:last], values[first:last], block)


def assert_same(a, b):
    np.testing.assert_allclose(a.lse, b.lse, rtol=1e-14)
    np.testing.assert_allclose(a.output / a.total[..., None], b.output / b.total[..., None], rtol=1e-13)


def test_states_of_parts_merge_into_that_of_the_whole_in_any_order():
    a, b, c, whole = state_over(0, 10), state_over(10, 60), state_over(60, 90), state_over(0, 90, block=90)
    assert_same(merge(merge(a, b), c), whole)
    assert_same(merge(a, merge(b, c)), whole)
    assert_same(merge(merge(c, a), b), whole)


def test_a_state_over_no_keys_changes_nothing():
    some, nothing = state_over(0, 10), state_over(0, 0)
    assert_same(merge(nothing, some), some)
    assert_same(merge(some, nothing), some)
    np.testing.assert_array_equal(merge(nothing, nothing).total, 0)
    np.testing.assert_array_equal(merge(nothing, nothing).lse, -np.inf)


def test_memory_is_that_of_a_tile_not_of_all_logits():
    queries, keys, values = sample(512, 4096, 16, 16, np.float32)
    tracemalloc.start()
    flash_attention(queries, keys, values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    all_logits = queries.shape[0] * keys.shape[0] * 4
    assert peak < all_logits / 20


def test_checkpoint_is_called_for_every_tile():
    queries, keys, values = sample(4, 30, 4, 4)
    calls = []
    flash_attention(
        queries, keys, values, block_size_q=2, block_size_kv=10, checkpoint=lambda: calls.append(1)
    )
    assert len(calls) == 6
