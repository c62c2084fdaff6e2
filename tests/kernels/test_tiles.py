"""The native pass over tiles of keys and values, in every variant that this processor can run."""

import numpy as np
import pytest
from ruattn_fdw.kernels.native import tiles

VARIANTS = tiles.variants()


def sample(n, heads, width, value_width, seed=2):
    random = np.random.RandomState(seed)
    query = random.standard_normal((heads, width)) / np.sqrt(width)
    # neither keys nor values lie without gaps
    keys = random.standard_normal((n, heads * width + 3)).astype(np.float32)[:, : heads * width]
    values = random.standard_normal((n, heads * value_width + 1)).astype(np.float32)[:, : heads * value_width]
    return query, keys, values


def expected(query, keys, values):
    heads = len(query)
    logits = np.einsum("hw,nhw->hn", query, keys.astype(float).reshape(len(keys), heads, -1))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    total = weights.sum(axis=1, keepdims=True)
    by_head = values.astype(float).reshape(len(keys), heads, -1)
    output = np.einsum("hn,nhw->hw", weights / total, by_head).reshape(-1)
    return np.ascontiguousarray(logits), output, logits.max(axis=1) + np.log(total[:, 0])


def results(heads, values):
    return np.full((1, values.shape[1]), np.nan, np.float32), np.full((1, heads), np.nan)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n", [1, 3, 15, 63, 64, 65, 200])
@pytest.mark.parametrize(
    ("heads", "width", "value_width"), [(1, 1, 1), (3, 7, 5), (8, 64, 64), (1, 60, 33), (40, 3, 16)]
)
def test_it_agrees_with_float64(variant, n, heads, width, value_width):
    query, keys, values = sample(n, heads, width, value_width)
    logits, wanted, wanted_lse = expected(query, keys, values)
    output, lse = results(heads, values)
    assert tiles.of_query(query / 4, keys, values, output, lse, 4.0, 1e3, variant)
    np.testing.assert_allclose(output[0], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lse[0], wanted_lse, rtol=1e-6, atol=1e-6)
    output, lse = results(heads, values)
    assert tiles.of_logits(logits, values, output, lse, 1e3, variant)
    np.testing.assert_allclose(output[0], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lse[0], wanted_lse, rtol=1e-6, atol=1e-6)


def placed(array, floats):
    """A copy that begins so many floats behind a border of 64 bytes."""
    room = np.full(array.size + 32, np.nan, np.float32)
    start = -(room.ctypes.data // 4) % 16 + floats
    copy = room[start : start + array.size].reshape(array.shape)
    copy[:] = array
    return copy


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("n", "heads", "width", "value_width"), [(1, 1, 64, 64), (70, 3, 80, 64), (9, 2, 500, 36)]
)
def test_answers_are_the_same_to_the_last_bit_wherever_the_arrays_lie(variant, n, heads, width, value_width):
    random = np.random.RandomState(3)
    query = random.standard_normal((heads, width)) / np.sqrt(width)
    keys, values = (random.standard_normal((n, heads * w)).astype(np.float32) for w in (width, value_width))
    answers = set()
    for floats in range(16):
        output, lse = results(heads, values)
        own_keys, own_values = placed(keys, floats), placed(values, 15 - floats)
        assert tiles.of_query(query, own_keys, own_values, output, lse, 1.0, 1e3, variant)
        answers.add(output.tobytes() + lse.tobytes())
    assert len(answers) == 1


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("step", [1.0, -1.0, 0.0])
def test_maxima_that_grow_or_fall_from_tile_to_tile_lose_nothing(variant, step):
    _, _, values = sample(300, 2, 1, 3)
    logits = np.tile(np.arange(300.0) * step - 1e6, (2, 1))
    output, lse = results(2, values)
    assert tiles.of_logits(logits, values, output, lse, 1e7, variant)
    weights = np.exp(logits[0] - logits[0].max())
    np.testing.assert_allclose(output[0], weights @ values / weights.sum(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lse[0], logits[0].max() + np.log(weights.sum()), rtol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_it_does_not_answer(variant):
    query, keys, values = sample(20, 2, 4, 4)
    output, lse = results(2, values)
    longest = np.sqrt((query * query).sum(axis=1)).max()
    assert tiles.of_query(query, keys, values, output, lse, 0.5, longest * 0.5001, variant)
    assert not tiles.of_query(query, keys, values, output, lse, 0.5, longest * 0.4999, variant)
    assert not tiles.of_query(query * np.nan, keys, values, output, lse, 1.0, 9.0, variant)
    assert not tiles.of_logits(np.full((2, 20), -3.0), values, output, lse, 2.9, variant)
    assert not tiles.of_logits(np.full((2, 20), np.nan), values, output, lse, 2.9, variant)
    values[3, 1] = np.inf
    assert not tiles.of_query(query, keys, values, output, lse, 1.0, 9.0, variant)


GIVEN = {
    "query": np.zeros((2, 4)),
    "keys": np.zeros((6, 8), np.float32),
    "values": np.zeros((6, 10), np.float32),
    "output": np.zeros((1, 10), np.float32),
    "lse": np.zeros((1, 2)),
    "factor": 1.0,
    "limit": 1.0,
    "variant": None,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.zeros((2, 5))}, "do not fit"),
        ({"query": np.zeros((2, 8))[:, :4]}, "do not fit"),
        ({"values": np.zeros((5, 10), np.float32)}, "do not fit"),
        ({"values": np.zeros((6, 9), np.float32), "output": np.zeros((1, 9), np.float32)}, "do not fit"),
        ({"output": np.zeros((1, 12), np.float32)}, "do not fit"),
        ({"lse": np.zeros((1, 3))}, "do not fit"),
        ({"keys": np.zeros((0, 8), np.float32), "values": np.zeros((0, 10), np.float32)}, "of no key"),
        ({"keys": np.zeros((6, 8))}, "keys must be a matrix of float32"),
        ({"query": np.zeros((2, 4), np.float32)}, "query must be a matrix of"),
        ({"variant": "mmx"}, "this processor has no mmx"),
    ],
)
def test_what_it_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        tiles.of_query(*(GIVEN | change).values())


def test_heads_whose_tiles_are_beyond_32_bits_are_refused():
    heads = 2**24
    query, lse = np.zeros((heads, 1)), np.zeros((1, heads))
    keys, values, output = np.zeros((3, 1, heads), np.float32)
    with pytest.raises(ValueError, match="do not fit"):
        tiles.of_query(query, keys, values, output, lse, 1.0, 1.0)


def test_logits_must_fit_too():
    for logits in (np.zeros((2, 5)), np.zeros((3, 6)), np.zeros((2, 0)), np.zeros((0, 6))):
        with pytest.raises(ValueError, match="do not fit"):
            tiles.of_logits(logits, GIVEN["values"], GIVEN["output"], GIVEN["lse"], 1.0)
