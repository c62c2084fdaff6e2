"""The native pass over all keys, in every variant that this processor can run."""

import numpy as np
import pytest
from approximate_cases import decoded, encode
from ruattn_fdw.kernels.approximate.codes import levels
from ruattn_fdw.kernels.native import sweep
from ruattn_fdw.kernels.sweep import before_keys, in_units, units

VARIANTS = sweep.variants()
HEADS, WIDTH = 3, 20
FACTORS = np.array([[1, 0.5], [0.2, 2], [3, 1]], np.float32)


DTYPES = ["float32", "float16", "int8", "sketch"]


def keys_of(dtype, n, rows=slice(None)):
    """Keys and their scale; of a sketch its tiles."""
    random = np.random.RandomState(n)
    keys = random.standard_normal((n, HEADS * WIDTH)).astype(np.float32)[rows]
    if dtype == "float32":
        return keys, None
    sections = encode(keys, "int8" if dtype == "sketch" else dtype)
    return sections["sketch" if dtype == "sketch" else "codes"], sections["scale"]


class Swept:
    """What `sweep` writes for a query over keys."""

    def __init__(
        self, query, keys, scale=None, present=None, bounds=None, usual=0.0, threads=1, variant=None
    ):
        n = len(present) if present is not None else len(keys if scale is None else scale)
        blocks = -(-n // sweep.BLOCK)
        bound, spread, factors = (None, None, None) if bounds is None else bounds
        of_heads = None if bounds is None else np.full((1, len(query)), usual, np.float32)
        self.weights = np.full((len(query), n + 1), np.nan, np.float32)
        self.maxima = np.full((blocks, len(query)), np.nan, np.float32)
        self.sums = np.full((blocks, len(query) * (1 if bounds is None else 4)), np.nan)
        self.most = np.full((blocks, 0 if bounds is None else 3), np.nan, np.float32)
        self.squares = np.full((1, n), np.nan, np.float32) if keys.dtype == np.float32 else None
        unit = np.ones(len(query), np.float32)
        if keys.dtype.kind != "f":
            query, _, _, unit, _ = before_keys(query.astype(float), keys, scale)
        sweep.sweep(
            query,
            keys,
            None if present is None else present[None].astype(np.int32),
            None if scale is None else scale[None],
            unit[None],
            bound,
            spread,
            factors,
            of_heads,
            self.weights[:, :n],
            self.maxima,
            self.sums,
            self.most,
            self.squares,
            0,
            blocks,
            threads,
            variant,
        )


def query_of():
    return np.random.RandomState(1).standard_normal((HEADS, WIDTH)).astype(np.float32)


def logits_of(query, keys, scale):
    query = query.astype(float)
    if keys.dtype in (np.int8, np.uint8):
        query = in_units(query, units(query)) * units(query)[:, None]
    values = decoded(keys, len(keys if scale is None else scale), HEADS * WIDTH)
    scaled = values * (1 if scale is None else scale.astype(float)[:, None])
    return np.einsum("hw,nhw->hn", query, scaled.reshape(len(values), HEADS, WIDTH))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 15, 17, 255, 256, 257, 700])
def test_weights_and_sums_are_those_of_float64(variant, dtype, n):
    (keys, scale), query = keys_of(dtype, n), query_of()
    swept = Swept(query, keys, scale, variant=variant)
    logits = logits_of(query, keys, scale)
    for block, rows in enumerate(blocks_of(n)):
        maximum = logits[:, rows].max(axis=1)
        weights = np.exp(logits[:, rows] - maximum[:, None])
        np.testing.assert_allclose(swept.maxima[block], maximum, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(swept.weights[:, rows], weights, rtol=2e-5, atol=1e-37)
        np.testing.assert_allclose(swept.sums[block], weights.sum(axis=1), rtol=2e-5)
    assert np.isnan(swept.weights[:, n:]).all()
    if dtype == "float32":
        np.testing.assert_allclose(swept.squares[0], (keys.astype(float) ** 2).sum(axis=1), rtol=1e-5)


def blocks_of(n):
    return [slice(start, min(n, start + sweep.BLOCK)) for start in range(0, n, sweep.BLOCK)]


def bounds_of(n):
    random = np.random.RandomState(2)
    return random.rand(1, n).astype(np.float32), random.rand(1, n).astype(np.float32), FACTORS


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("n", [1, 15, 17, 257, 700])
def test_sums_of_bounds_are_those_of_float64(variant, dtype, n):
    (keys, scale), query = keys_of(dtype, n), query_of()
    bound, spread, _ = bounds_of(n)
    swept = Swept(query, keys, scale, bounds=bounds_of(n), usual=0.3, variant=variant)
    logits = logits_of(query, keys, scale)
    for block, rows in enumerate(blocks_of(n)):
        maximum = logits[:, rows].max(axis=1)[:, None]
        weights = np.exp(logits[:, rows] - maximum)
        apart = np.abs(weights - np.exp(0.3 - maximum))
        least = np.minimum(FACTORS[:, :1] * bound[:, rows], FACTORS[:, 1:] * spread[:, rows])
        sums = swept.sums[block].reshape(HEADS, 4)
        np.testing.assert_allclose(sums[:, 0], weights.sum(axis=1), rtol=2e-5)
        np.testing.assert_allclose(sums[:, 1], (weights * least).sum(axis=1), rtol=2e-5)
        np.testing.assert_allclose(sums[:, 2], (apart * least).sum(axis=1), rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(sums[:, 3], ((apart * spread[:, rows]) ** 2).sum(axis=1), 4e-5, 1e-5)
        most = [bound[:, rows].max(), spread[:, rows].max(), scale[rows].max()]
        np.testing.assert_array_equal(swept.most[block], np.array(most, np.float32))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("first", [0, 16, 300])
def test_only_present_keys_count(variant, dtype, first):
    (keys, scale), query = keys_of(dtype, 900), query_of()
    # whole tiles at the beginning, and then some
    present = np.flatnonzero((np.random.RandomState(3).rand(900) < 0.6) | (np.arange(900) < first))
    bound, spread, _ = bounds_of(900)
    every = None if scale is None else bounds_of(900)
    few = None if scale is None else (bound[:, present], spread[:, present], FACTORS)
    some = Swept(query, keys, scale, present, every, variant=variant)
    alone = Swept(query, *keys_of(dtype, 900, present), None, few, variant=variant)
    np.testing.assert_array_equal(some.weights, alone.weights)
    np.testing.assert_array_equal(some.sums, alone.sums)


@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers_are_the_same_with_any_number_of_threads(variant):
    (keys, _), query = keys_of("float32", 5000), query_of()
    one, many = Swept(query, keys, variant=variant), Swept(query, keys, threads=5, variant=variant)
    np.testing.assert_array_equal(one.weights, many.weights)
    np.testing.assert_array_equal(one.sums, many.sums)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_logit_that_is_not_finite_shows_in_the_sum(variant, value):
    (keys, _), query = keys_of("float32", 3 * sweep.BLOCK - 9), query_of()
    keys[sweep.BLOCK + 44, 0] = value
    sums = Swept(query, keys, variant=variant).sums
    assert np.isnan(sums[1, 0])
    assert np.isfinite(sums[[0, 2]]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_is_read_as_numpy_reads_it(variant):
    halves = np.array([0, -0.0, 6e-8, -6e-5, 1, -2.5, 65504, -65504, 1e-3], np.float16)
    keys = np.repeat(halves[:, None], 16, axis=1)
    query = np.zeros((16, 1), np.float32)
    query[0] = 2.0**-16
    swept = Swept(query, keys, np.ones(len(keys), np.float32), variant=variant)
    wanted = halves.astype(float) * 2.0**-16
    np.testing.assert_allclose(swept.weights[0, :-1], np.exp(wanted - wanted.max()), rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_exponential_is_within_its_bound(variant):
    below = -np.concatenate([np.linspace(0, 87, 240 * (sweep.BLOCK - 1) - 3), [87.1, 1000, 3e38]])
    # each block has 0 for its maximum
    keys = np.insert(below.reshape(240, -1), 0, 0, axis=1).astype(np.float32).reshape(-1, 1)
    weights = Swept(np.ones((1, 1), np.float32), keys, variant=variant).weights[0, :-1]
    seen = keys[:, 0] >= -87
    np.testing.assert_allclose(weights[seen], np.exp(keys[seen, 0].astype(float)), rtol=2.0**-21)
    assert (weights[~seen] == 0).all()
    assert (~seen).sum() == 3


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n", [1, 256, 1000])
def test_scores_are_sums_over_heads_and_uppers_are_no_less(variant, n):
    random = np.random.RandomState(n)
    weights, blocks = random.rand(5, n).astype(np.float32), -(-n // sweep.BLOCK)
    factors = random.rand(blocks, 5).astype(np.float32)
    spread, reach = random.rand(1, n).astype(np.float32), random.rand(1, 5).astype(np.float32)
    scores, tops = np.empty((1, n), np.float32), np.empty((1, blocks), np.float32)
    uppers, upper_tops = np.empty_like(scores), np.empty_like(tops)
    sweep.mix(weights, factors, scores, tops, None, None, None, None, 2, variant)
    parts = weights * np.repeat(factors, sweep.BLOCK, axis=0)[:n].T
    np.testing.assert_allclose(scores[0], parts.sum(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(tops[0], np.maximum.reduceat(scores[0], np.arange(0, n, sweep.BLOCK)))
    alone = scores.copy()
    sweep.mix(weights, factors, scores, tops, spread, reach, uppers, upper_tops, 2, variant)
    np.testing.assert_array_equal(scores, alone)
    lengths = np.sqrt(((parts.astype(float) * reach.T) ** 2).sum(axis=0))
    np.testing.assert_allclose(uppers[0], scores[0] + spread[0] * lengths, rtol=1e-6)
    np.testing.assert_array_equal(upper_tops[0], np.maximum.reduceat(uppers[0], np.arange(0, n, sweep.BLOCK)))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [1e-29, 1e-3, 1.0])
def test_uppers_of_tiny_weights_lose_nothing(variant, size):
    weights = np.full((2, 3), size, np.float32)
    written = [np.empty((1, n), np.float32) for n in (3, 1, 3, 1)]
    ones = np.ones((1, 3), np.float32)
    sweep.mix(weights, ones[:, :2], *written[:2], ones, ones[:, :2], *written[2:], 1, variant)
    np.testing.assert_allclose(written[2][0], size * (2 + np.sqrt(2)), rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("width", [1, 3, 4, 16, 31, 32, 48, 4096])
def test_products_of_bytes_are_exact(variant, width):
    random = np.random.RandomState(width)
    keys = random.randint(-127, 128, (40, 2 * width)).astype(np.int8)
    keys[0], keys[1] = 127, -127
    query = random.uniform(-1, 1, (2, width))
    query[0] = 1
    unit = units(query)
    integers = in_units(query, unit)
    exact = np.einsum("hw,nhw->hn", integers.astype(int), keys.astype(int).reshape(40, 2, width))
    assert np.abs(exact).max() < 2**31
    swept = Swept(query, keys, np.full(40, 1e-5, np.float32), variant=variant)
    logits = exact * unit[:, None] * 1e-5
    maximum = logits.max(axis=1)
    np.testing.assert_allclose(swept.maxima[0], maximum, rtol=1e-6)
    np.testing.assert_allclose(swept.weights[:, :-1], np.exp(logits - maximum[:, None]), rtol=3e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("heads", "width"), [(1, 1), (2, 7), (3, 8), (5, 20), (1, 4096)])
def test_products_with_a_sketch_are_exact(variant, heads, width):
    random = np.random.RandomState(width)
    keys = random.randint(-127, 128, (40, heads * width)).astype(np.float32)
    keys[:, 0], keys[0], keys[1] = 127, 127, -127
    query = random.uniform(-1, 1, (heads, width))
    query[0] = 1
    level, integers = levels(encode(keys, "int8"))[0], in_units(query, units(query))
    values = decoded(level.values, 40, heads * width).reshape(40, heads, width)
    exact = np.einsum("hw,nhw->hn", integers.astype(int), (2 * values).astype(int))
    assert np.abs(exact).max() < 2**31
    swept = Swept(query, level.values, np.full(40, 1e-5, np.float32), variant=variant)
    logits = exact * units(query)[:, None] / 2 * 1e-5
    maximum = logits.max(axis=1)
    np.testing.assert_allclose(swept.maxima[0], maximum, rtol=1e-6)
    np.testing.assert_allclose(swept.weights[:, :-1], np.exp(logits - maximum[:, None]), rtol=3e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_logits_of_some_rows_are_those_of_float64(variant, dtype):
    (keys, scale), query = keys_of(dtype, 700), query_of()
    rows = np.random.RandomState(0).permutation(700)[:600]
    before, out = before_keys(query.astype(float), keys, scale), np.full((HEADS, 601), np.nan, np.float32)
    sweep.logits(*before.given(rows), out[:, :600], variant)
    np.testing.assert_allclose(out[:, :600], logits_of(query, keys, scale)[:, rows], rtol=1e-5, atol=1e-5)
    assert np.isnan(out[:, 600]).all()


@pytest.mark.parametrize("each", [1, 4])
def test_sums_of_blocks_are_added_up(each):
    random = np.random.RandomState(each)
    relative, sums, out = random.rand(5, 3), random.rand(5, 3 * each), np.zeros((3, each))
    sweep.total(relative, sums, out)
    powers = relative[:, :, None] ** np.array([1, 1, 1, 2][:each])
    np.testing.assert_allclose(out, (sums.reshape(5, 3, each) * powers).sum(axis=0), rtol=1e-13)
    with pytest.raises(ValueError, match="do not fit"):
        sweep.total(relative[1:], sums, out)


@pytest.mark.parametrize("n", [1, 512, 513, 1500])
def test_rows_are_found_in_blocks_that_reach_so_far(n):
    values = np.random.RandomState(n).rand(1, n).astype(np.float32)
    values[0, n // 2] = np.nan
    tops = np.fmax.reduceat(values[0], np.arange(0, n, sweep.BLOCK))[None]
    for least in (0.0, 0.5, 0.999, 2.0, np.nan):
        rows = np.full((1, n), -1)
        count = sweep.at_least(values, tops, least, rows)
        np.testing.assert_array_equal(rows[0, :count], np.flatnonzero(values[0] >= least))
    tops[0, -1] = 0
    assert (
        sweep.at_least(values, tops, 1e-9, rows) == (values[0, : (len(tops[0]) - 1) * sweep.BLOCK] > 0).sum()
    )


def test_what_does_not_fit_is_refused():
    (keys, _), query = keys_of("float32", 300), query_of()
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query[:2], keys)
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query, keys, bounds=bounds_of(299))
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query, keys, present=np.array([299, 300]))
    (tiles, scale), (codes, _) = keys_of("sketch", 300), keys_of("int8", 300)
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query, tiles[:-1], scale)
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query, tiles[:288], scale)
    with pytest.raises(ValueError, match="do not fit"):
        Swept(query, codes, scale[:-1])
    with pytest.raises(ValueError, match="do not fit"):
        sweep.logits(
            *before_keys(query.astype(float), codes, scale).given(None), np.empty((3, 299), np.float32)
        )
    with pytest.raises(ValueError, match="do not fit"):
        sweep.logits(
            *before_keys(query.astype(float), keys, scale).given(None), np.empty((3, 300), np.float32)
        )
    with pytest.raises(ValueError, match="do not fit"):
        sweep.at_least(scale[None], scale[None], 0.0, np.empty((1, 300), np.int64))
    with pytest.raises(ValueError, match="query must be a matrix of float32"):
        Swept(query.astype(float), keys)
    with pytest.raises(ValueError, match="no thread"):
        Swept(query, keys, threads=0)
    with pytest.raises(ValueError, match="no sse9"):
        Swept(query, keys, variant="sse9")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("as_they_are", [False, True])
@pytest.mark.parametrize(("m", "c"), [(1, 1), (16, 64), (17, 63), (40, 1000)])
def test_a_tile_gives_sums_and_what_reaches_the_bar(variant, as_they_are, m, c):
    random = np.random.RandomState(m)
    wide = random.uniform(0 if as_they_are else -40, 40, (m, c + 3)).astype(np.float32)
    products, least = wide[:, :c], random.uniform(0, 39, (1, m)).astype(np.float32)
    blocks = -(-m // sweep.QUERIES_OF_A_BLOCK)
    sums, counts = np.empty((1, m)), np.empty((1, blocks), np.int64)
    hits = np.full((blocks, 16 * c), -1)
    sweep.tile(products, least, sums, hits, counts, as_they_are, 2, variant)
    masses = products.astype(float) if as_they_are else np.exp(products.astype(float))
    np.testing.assert_allclose(sums[0], masses.sum(axis=1), rtol=2e-6)
    found = np.concatenate([hits[block, :count] for block, count in enumerate(counts[0])])
    np.testing.assert_array_equal(found, np.flatnonzero(products >= least[0][:, None]))


def test_a_tile_without_room_says_how_many_reach_the_bar():
    products, hits = np.arange(10, dtype=np.float32)[None], np.full((1, 3), -1)
    sums, counts = np.empty((1, 1)), np.empty((1, 1), np.int64)
    sweep.tile(products, np.array([[4]], np.float32), sums, hits, counts, True, 1)
    assert counts[0, 0] == 6
    np.testing.assert_array_equal(hits[0], [4, 5, 6])
