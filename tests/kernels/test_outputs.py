"""Outputs of many queries against weighted sums of their twins' weights."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from ordered import sample as sample_one
from plain import PLAIN, TWINS
from ruattn_fdw.kernels import outputs as outputs_module
from ruattn_fdw.kernels import products
from ruattn_fdw.kernels.arrays import BLOCK_BYTES, uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidShape, NumericOverflow, OutOfDomain
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.outputs import outputs, windows
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find


def sample(m=7, n=50, d=24, width=12, size=1.0, seed=3):
    random = np.random.RandomState(seed)
    queries, keys = random.standard_normal((m, d)) * size, random.standard_normal((n, d)) * size
    return [a.astype(np.float32) for a in (queries, keys, random.standard_normal((n, width)))]


def expected_of(name, query, keys, values, heads):
    """Output, entropy and log-sum-exp of one query in float64."""
    twin = TWINS[name](query, keys, num_heads=heads)
    parts = np.split(values.astype(np.float64), heads, axis=1)
    output = np.concatenate([weights @ part for weights, part in zip(twin.head_scores, parts, strict=True)])
    weights = np.maximum(twin.head_scores, 1e-300)
    return output, -(weights * np.log(weights)).sum(axis=1).mean(), twin.lse


def joined(blocks):
    blocks = list(blocks)
    return [np.concatenate([getattr(b, field) for b in blocks]) for field in ("output", "entropy", "lse")]


@pytest.mark.parametrize("size", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_outputs_are_those_of_float64(mechanism, heads, size):
    queries, keys, values = sample(size=size)
    output, entropy, lse = joined(outputs(Settings(mechanism, 24, heads), queries, keys, values))
    for row, query in enumerate(queries):
        wanted = expected_of(mechanism.name, query, keys, values, heads)
        np.testing.assert_allclose(output[row], wanted[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(entropy[row], wanted[1], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(lse[row], wanted[2], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("entropy", [True, False])
@pytest.mark.parametrize("width", [4, 12])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_arrays_lie_row_by_row_as_hosts_read_them(mechanism, width, entropy):
    queries, keys, values = sample(width=width)
    for block in outputs(Settings(mechanism, 24, 4), queries, keys, values, entropy=entropy):
        assert block.output.flags.c_contiguous
        assert block.lse.flags.c_contiguous


@pytest.mark.parametrize("heads", [1, 4])
def test_a_kernel_mechanism_keeps_only_its_state_where_no_entropy_is_wanted(heads):
    queries, keys, values = sample(m=30)
    settings = Settings(find("linear"), 24, heads)
    [by_state] = outputs(settings, queries, keys, values, entropy=False)
    by_weights = joined(outputs(settings, queries, keys, values))
    assert by_state.entropy is None
    np.testing.assert_allclose(by_state.output, by_weights[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_state.lse, by_weights[2], rtol=1e-6)


@pytest.mark.parametrize("size", [0.1, 6.0])
@pytest.mark.parametrize("name", ["scaled_dot", "linear"])
def test_keys_that_are_some_rows_are_not_copied_out(monkeypatch, name, size):
    queries, keys, _ = sample(n=2000, size=size)
    present = np.flatnonzero(np.arange(2000) % 3)
    wanted = joined(outputs(Settings(find(name), 24, 4), queries, keys[present], None))
    monkeypatch.delattr(KeySet, "dense")
    found = joined(outputs(Settings(find(name), 24, 4), queries, KeySet(keys, present), None))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "size"), [("scaled_dot", 0.1), ("scaled_dot", 6.0), ("linear", 0.3)])
def test_blocks_of_queries_and_keys_do_not_change_the_outputs(monkeypatch, name, size):
    queries, keys, values = sample(m=20, size=size)
    settings = Settings(find(name), 24, 2)
    whole = joined(outputs(settings, queries, keys, values))
    monkeypatch.setattr(products, "_QUERIES", 3)
    monkeypatch.setattr(products, "_TABLE_BYTES", 4 * 2 * 3 * 7)
    blocks = list(outputs(settings, queries, keys, values))
    assert [len(block) for block in blocks] == [3] * 6 + [2]
    for one, other in zip(joined(blocks), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("entropy", [True, False])
def test_memory_is_that_of_a_block_not_of_all_logits(entropy):
    queries, keys, values = sample(m=512, n=65_536)
    settings = Settings(find("flash_v2"), 24)
    tracemalloc.start()
    blocks = list(outputs(settings, queries, keys, values, entropy=entropy))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, blocks)) == 512
    assert peak < 4 * len(queries) * len(keys) / 10


CURVED = ["hyperbolic", "poincare", "lorentz", "mixed_curvature"]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("name", CURVED)
def test_means_of_many_queries_are_those_of_each_alone(monkeypatch, name, heads):
    queries, keys, values = sample(size=0.1)
    mechanism = find(name)
    alone = [attend(mechanism, query, keys, num_heads=heads) for query in queries]
    table = np.stack([weights.head_scores for weights in alone], axis=1).astype(np.float64)
    by_head = (values * np.float32(0.1)).reshape(50, heads, -1).transpose(1, 0, 2)
    settings = Settings(mechanism, 24, heads)
    wanted = (
        mechanism.aggregate(table, by_head, settings.options, uninterrupted).transpose(1, 0, 2).reshape(7, 12)
    )
    monkeypatch.setattr(outputs_module, "_AVERAGED", 3 * 50 * 12)
    blocks = list(outputs(settings, queries, keys, values * np.float32(0.1)))
    assert [len(block) for block in blocks] == [3, 3, 1]
    output, entropy, lse = joined(blocks)
    np.testing.assert_allclose(output, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(lse, [weights.lse for weights in alone], rtol=1e-6)
    np.testing.assert_allclose(entropy, -(table * np.log(table)).sum(axis=2).mean(axis=0), rtol=1e-5)


def test_a_key_outside_of_the_ball_is_named_in_whatever_block_it_is():
    queries, keys, _ = sample(n=3000, d=96, size=0.01)
    keys[2900] = 1
    with pytest.raises(OutOfDomain) as caught:
        list(outputs(Settings(find("poincare"), 96), queries, keys, None))
    assert caught.value.row == 2900


@pytest.mark.parametrize("name", ["linear", "performer"])
def test_a_state_is_asked_in_blocks_between_which_a_cancel_gets_in(name):
    queries, keys, values = sample(m=2500, size=0.3)
    calls = []
    settings = Settings(find(name), 24)
    blocks = list(outputs(settings, queries, keys, values, entropy=False, checkpoint=lambda: calls.append(1)))
    assert [len(block) for block in blocks] == [1024, 1024, 452]
    assert len(calls) > len(blocks)
    [last] = outputs(settings, queries[2048:], keys, values, entropy=False)
    np.testing.assert_allclose(blocks[2].output, last.output, rtol=1e-6, atol=1e-7)


def test_each_query_of_an_ordered_mechanism_has_its_own_place():
    _, keys = sample_one(20)
    order = Order(np.arange(20.0), np.arange(20))
    blocks = outputs(Settings(find("causal"), 24), keys, keys, keys, place=order.at_key)
    output, *_ = joined(blocks)
    for row in range(20):
        wanted = expected_of("scaled_dot", keys[row], keys[: row + 1], keys[: row + 1], 1)
        np.testing.assert_allclose(output[row], wanted[0], rtol=1e-5, atol=1e-5)


def test_queries_that_see_no_key_are_marked():
    queries, keys, values = sample()
    order = Order(np.arange(50.0), np.arange(50))
    blocks = outputs(
        Settings(find("causal"), 24), queries, keys, values, place=lambda row: order.at(row - 3.0)
    )
    assert [bool(block.empty[0]) for block in blocks] == [True, True, True, False, False, False, False]
    [block] = outputs(Settings(find("scaled_dot"), 24), queries, keys[:0], values[:0])
    assert block.empty.all()


def test_heads_must_divide_the_values():
    queries, keys, values = sample(width=13)
    with pytest.raises(InvalidShape, match="num_heads is 4, which does not divide the values' 13 dimensions"):
        list(outputs(Settings(find("scaled_dot"), 24, 4), queries, keys, values))


def test_an_overflow_names_the_key():
    queries, keys, values = sample()
    keys[33] = 1e38
    with pytest.raises(NumericOverflow) as caught:
        list(outputs(Settings(find("scaled_dot"), 24), queries * 1e3, keys, values))
    assert caught.value.row == 33


@pytest.mark.parametrize("name", ["scaled_dot", "linear"])
@pytest.mark.parametrize("entropy", [True, False])
def test_a_cancel_gets_in_between_blocks(name, entropy):
    queries, keys, values = sample(n=20_000)
    calls = []
    list(
        outputs(
            Settings(find(name), 24),
            queries,
            keys,
            values,
            entropy=entropy,
            checkpoint=lambda: calls.append(1),
        )
    )
    assert len(calls) >= keys.nbytes / BLOCK_BYTES


@pytest.mark.parametrize(
    ("n", "size", "stride", "wanted"),
    [
        (10, 4, 2, [(0, 4), (2, 6), (4, 8), (6, 10)]),
        (10, 4, 3, [(0, 4), (3, 7), (6, 10)]),
        (9, 4, 4, [(0, 4), (4, 8), (8, 9)]),
        (3, 4, 1, [(0, 3)]),
        (4, 4, 1, [(0, 4)]),
        (1, 1, 1, [(0, 1)]),
        (0, 4, 2, []),
    ],
)
def test_the_last_window_is_the_first_that_reaches_the_end(n, size, stride, wanted):
    assert windows(n, size, stride) == wanted
