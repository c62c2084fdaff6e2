"""Keys and values made ready once: the outputs of single queries, however they are kept."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.attention_cache import AttentionCache
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, NumericOverflow
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.prepared.experts import ByExperts
from ruattn_fdw.kernels.prepared.state import ByState
from ruattn_fdw.kernels.prepared.tiles import Scored, Tiles
from ruattn_fdw.kernels.registry import MECHANISMS, find

OPTIONS = {"gat": {"init": "seeded"}, "additive": {"init": "seeded"}}
FIVE = {"scaled_dot": Tiles, "flash_v2": Tiles, "linear": ByState, "gat": Scored, "moe": ByExperts}
WITHOUT_ORDER = [
    m
    for m in MECHANISMS
    if m.scope in ("P", "SET", "P+w")
    and "mha_search" in m.operations
    and m.weigh_sets is None
    and not m.needs_order(parse_options(m, {}))
]


def sample(n=63, d=60, width=30, size=1.0, seed=5):
    random = np.random.RandomState(seed)
    shapes = (d,), (n, d), (n, width)
    query, keys, values = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return query * np.float32(size), keys * np.float32(size), values


def settings_of(name, d=60, heads=1):
    return Settings(find(name), d, heads, options=OPTIONS.get(name, {}))


def by_twin(name, query, keys, values, heads):
    """Output and log-sum-exp in float64."""
    twin = TWINS[name](query, keys, num_heads=heads)
    parts = np.split(values.astype(np.float64), heads, axis=1)
    output = [weights @ part for weights, part in zip(twin.head_scores, parts, strict=True)]
    return np.concatenate(output), twin.lse


def by_weights(name, query, keys, values, heads):
    """The sum of the values by the weights of `attend`."""
    weights = attend(find(name), query, keys, num_heads=heads, options=OPTIONS.get(name, {}))
    by_head = values.astype(np.float64).reshape(len(values), heads, -1)
    return np.einsum("hn,nhw->hw", weights.head_scores, by_head).reshape(-1)


def assert_close(found, wanted):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("n", [1, 63, 500])
@pytest.mark.parametrize("heads", [1, 5])
@pytest.mark.parametrize("size", [0.1, 1.0, 6.0])
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_outputs_are_those_of_float64(mechanism, size, heads, n):
    query, keys, values = sample(n, size=size)
    output, lse = AttentionCache(settings_of(mechanism.name, heads=heads), keys, values).attend(query)
    wanted, wanted_lse = by_twin(mechanism.name, query, keys, values, heads)
    assert_close(output, wanted)
    np.testing.assert_allclose(lse, wanted_lse, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("heads", [1, 5])
@pytest.mark.parametrize("size", [1e-20, 35.0, -35.0])
@pytest.mark.parametrize("name", ["scaled_dot", "flash_v2"])
def test_logits_near_0_or_far_from_it_lose_nothing(name, size, heads):
    """Products of the smallest are denormal, of the largest thousands."""
    query, keys, values = sample(500, size=size)
    query, keys, values = (np.abs(array) * np.sign(size) for array in (query, keys, values))
    output, lse = AttentionCache(settings_of(name, heads=heads), keys, values).attend(query)
    wanted, wanted_lse = by_twin(name, query, keys, values, heads)
    assert_close(output, wanted)
    np.testing.assert_allclose(lse, wanted_lse, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 63, 500])
@pytest.mark.parametrize("heads", [1, 5])
@pytest.mark.parametrize("name", ["gat", "moe"])
def test_gat_and_experts_give_the_sum_by_their_weights(name, heads, n):
    query, keys, values = sample(n)
    output = AttentionCache(settings_of(name, heads=heads), keys, values).output(query)
    assert_close(output, by_weights(name, query, keys, values, heads))


@pytest.mark.parametrize("mechanism", WITHOUT_ORDER, ids=lambda m: m.name)
def test_any_mechanism_without_an_order_has_the_outputs_that_it_has_elsewhere(mechanism):
    query, keys, values = sample(70, d=64, width=64, size=0.05)
    values *= np.float32(0.05)
    settings = settings_of(mechanism.name, 64)
    [wanted] = outputs(settings, query[None], keys, values, entropy=False)
    assert_close(AttentionCache(settings, keys, values).output(query), wanted.output[0])


@pytest.mark.parametrize(("name", "form"), FIVE.items())
def test_the_five_of_the_plan_have_a_form_of_their_own(name, form):
    _, keys, values = sample()
    assert type(AttentionCache(settings_of(name, heads=5), keys, values)._prepared) is form


@pytest.mark.parametrize("name", [*FIVE, "hopfield"])
def test_without_values_are_those_that_the_mechanism_takes(name):
    query, keys, _ = sample()
    settings = settings_of(name, heads=5)
    [wanted] = outputs(settings, query[None], keys, None, entropy=False)
    assert_close(AttentionCache(settings, keys).output(query), wanted.output[0])


@pytest.mark.parametrize("with_values", [True, False])
@pytest.mark.parametrize("first", [0, 1, 40])
@pytest.mark.parametrize("name", [*FIVE, "cosine", "gaussian_kernel", "hopfield"])
def test_rows_added_count_as_if_they_had_been_there(name, first, with_values):
    query, keys, values = sample(100)
    given = values if with_values else keys
    settings = settings_of(name, heads=5)
    whole = AttentionCache(settings, keys, values if with_values else None)
    cache = AttentionCache(settings, keys[:first], values[:first] if with_values else None)
    for start, end in ((first, 60), (60, 61), (61, 100)):
        cache.append(keys[start:end], given[start:end] if with_values else None)
    assert len(cache) == 100
    assert_close(cache.output(query), whole.output(query))


def test_rows_added_do_not_touch_the_arrays_given():
    _, keys, values = sample(100)
    before = keys.copy(), values.copy()
    cache = AttentionCache(settings_of("scaled_dot"), keys[:50], values[:50])
    cache.append(keys[:7] + 1, values[:7] + 1)
    np.testing.assert_array_equal(keys, before[0])
    np.testing.assert_array_equal(values, before[1])


def test_keys_and_values_are_not_copied():
    _, keys, values = sample()
    cache = AttentionCache(settings_of("scaled_dot"), keys, values)
    assert cache.nbytes == keys.nbytes + values.nbytes
    assert np.shares_memory(cache._prepared.keys, keys)


def test_a_state_does_not_grow_with_the_keys():
    few, many = (AttentionCache(settings_of("linear"), *sample(n)[1:]) for n in (10, 500))
    assert few.nbytes == many.nbytes == 8 * (60 * 30 + 60)


def peak_of(cache, query):
    cache.output(query)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    cache.output(query)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", ["scaled_dot", "flash_v2"])
def test_a_query_takes_the_memory_of_a_tile_however_many_keys(name):
    sizes = []
    for n in (64, 20_000):
        query, keys, values = sample(n)
        sizes.append(peak_of(AttentionCache(settings_of(name, heads=5), keys, values), query))
    assert abs(sizes[1] - sizes[0]) < 1024
    assert sizes[1] < 16 * 1024


@pytest.mark.parametrize("name", ["scaled_dot", "gaussian_kernel", "moe"])
def test_an_overflow_names_the_key(name):
    query, keys, values = sample()
    keys[33] = 1e38
    cache = AttentionCache(settings_of(name), keys, values)
    with np.errstate(all="ignore"), pytest.raises(NumericOverflow) as caught:
        cache.output(query * 0 + 1e4)
    assert caught.value.row == 33


def test_an_output_beyond_float32_is_an_error():
    query, keys, values = sample()
    cache = AttentionCache(settings_of("scaled_dot"), keys, values * 0 + np.float32(3.4e38))
    cache.output(query)
    values[:] = np.inf
    with pytest.raises(NumericOverflow, match="an output overflows"):
        AttentionCache(settings_of("scaled_dot"), keys, values).output(query)


def test_a_query_whose_kernels_vanish_is_an_error():
    query, keys, values = sample()
    cache = AttentionCache(settings_of("linear"), keys, values)
    with pytest.raises(NumericOverflow, match="kernels of the query are too small"):
        cache.output(query * 0 - 800)


def test_no_keys_give_zeros():
    query, keys, values = sample()
    output, lse = AttentionCache(settings_of("scaled_dot"), keys[:0], values[:0]).attend(query)
    np.testing.assert_array_equal(output, np.zeros(30, np.float32))
    assert np.isneginf(lse).all()


def test_a_mechanism_with_an_order_is_refused():
    query, keys, values = sample()
    with pytest.raises(InvalidOption, match="causal needs positions"):
        AttentionCache(settings_of("causal"), keys, values).output(query)


@pytest.mark.parametrize("name", FIVE)
def test_widths_must_fit(name):
    query, keys, values = sample()
    cache = AttentionCache(settings_of(name), keys, values)
    with pytest.raises(InvalidShape, match="query has 40 dimensions, keys have 60"):
        cache.output(query[:40])
    with pytest.raises(InvalidShape, match="do not go with those of"):
        cache.append(keys)
    with pytest.raises(InvalidShape, match="63 keys and 62 values"):
        cache.append(keys, values[1:])
    with pytest.raises(InvalidShape, match="does not divide the values' 31 dimensions"):
        AttentionCache(settings_of(name, heads=5), keys, np.zeros((63, 31), np.float32))
