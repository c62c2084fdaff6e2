"""Sets of vectors compared along lines."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import BLOCK_BYTES
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.attend_sets import attend_sets
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.sets import VectorSets
from ruattn_fdw.kernels.transport.sliced_wasserstein import lines
from samples import assert_rounding_is_bounded
from test_golden import load

SLICED = find("sliced_wasserstein")


def sample(n=63, t=5, p=12, seed=0):
    vectors = np.random.RandomState(seed).standard_normal((n + 1, t * p)).astype(np.float32)
    return vectors[0], vectors[1:]


def distance(a, b, directions, order=2):
    """Sets (t, p) of one size: sort along each line, and compare."""
    total = 0.0
    for line in directions.T:
        for x, y in zip(sorted(a @ line), sorted(b @ line), strict=True):
            total += abs(x - y) ** order
    return (total / (len(a) * directions.shape[1])) ** (1 / order)


@pytest.mark.parametrize(("n", "order", "projections"), [(1, 2, 50), (63, 1, 7), (500, 2, 20), (63, 3, 1)])
def test_it_agrees_with_its_twin(n, order, projections):
    query, keys = sample(n)
    options = {"token_dim": 12, "order": order, "n_projections": projections, "seed": 2}
    weights = attend(SLICED, query, keys, options=options, temperature=0.5)
    directions = lines(12, options)
    q = query.astype(np.float64).reshape(5, 12)
    logits = [-distance(q, key.astype(np.float64).reshape(5, 12), directions, order) / 0.5 for key in keys]
    np.testing.assert_allclose(weights.logit, logits, rtol=1e-5)
    expected = np.exp(logits - np.max(logits))
    np.testing.assert_allclose(weights.score, expected / expected.sum(), rtol=1e-5)


def test_the_order_of_the_vectors_makes_no_difference():
    query, keys = sample()
    turned = np.ascontiguousarray(keys.reshape(63, 5, 12)[:, [3, 0, 4, 1, 2]].reshape(63, 60))
    before, after = (attend(SLICED, query, k, options={"token_dim": 12}) for k in (keys, turned))
    np.testing.assert_allclose(after.score, before.score, rtol=1e-6)


def test_heads_are_sets_of_their_own():
    query, keys = sample(t=6)
    weights = attend(SLICED, query, keys, num_heads=2, options={"token_dim": 12})
    first = attend(SLICED, query[:36], np.ascontiguousarray(keys[:, :36]), options={"token_dim": 12})
    np.testing.assert_allclose(weights.head_scores[0], first.score, rtol=1e-5)


def sets_of(arrays):
    bounds = np.concatenate([[0], np.cumsum([len(a) for a in arrays])])
    return VectorSets(np.concatenate(arrays), bounds)


def test_sets_of_one_size_are_flat_vectors_by_another_spelling():
    query, keys = sample()
    sets = sets_of([key.reshape(5, 12) for key in keys])
    mine = attend_sets(SLICED, query.reshape(5, 12), sets)
    flat = attend(SLICED, query, keys, options={"token_dim": 12})
    np.testing.assert_allclose(mine.score, flat.score, rtol=1e-6)


def test_sets_of_different_sizes_are_compared_by_quantiles():
    random = np.random.RandomState(4)
    queries = random.standard_normal((4, 6)).astype(np.float32)
    arrays = [random.standard_normal((size, 6)).astype(np.float32) for size in (1, 2, 3, 8, 3)]
    weights = attend_sets(SLICED, queries, sets_of(arrays))
    directions = lines(6, {"n_projections": 50, "seed": 0})
    for logit, array in zip(weights.logit, arrays, strict=True):
        size = np.lcm(4, len(array))  # as many copies of each as make them equally many
        a, b = (np.repeat(x.astype(np.float64), size // len(x), axis=0) for x in (queries, array))
        assert -logit == pytest.approx(distance(a, b, directions), rel=1e-5)


def test_a_normaliser_takes_the_place_of_the_log_sum_exp():
    query, keys = sample()
    sets = sets_of([key.reshape(5, 12) for key in keys])
    whole = attend_sets(SLICED, query.reshape(5, 12), sets)
    part = attend_sets(SLICED, query.reshape(5, 12), sets.take(np.arange(10)), normaliser=whole.lse)
    np.testing.assert_allclose(part.score, whole.score[:10], rtol=1e-6)


@pytest.mark.parametrize("token_dim", [7, 60])
def test_a_width_that_leaves_no_set_is_refused(token_dim):
    with pytest.raises(InvalidShape, match=f"token_dim is {token_dim}, which does not cut 60 dimensions"):
        attend(SLICED, *sample(), options={"token_dim": token_dim})


def test_without_a_width_it_says_what_is_missing():
    with pytest.raises(InvalidOption, match="sliced_wasserstein needs token_dim"):
        attend(SLICED, *sample())


@pytest.mark.parametrize("order", [1, 2, 16])
@pytest.mark.parametrize("size", [1e-30, 1e-22, 0.01, 1, 100, 1e30])
def test_the_bound_on_rounding_holds(size, order):
    query, keys = (np.float32(size) * a for a in sample(500))
    keys[:50] = query + keys[:50] * np.float32(1e-3)
    options = {"token_dim": 12, "order": order, "n_projections": 50, "seed": 0}
    for slices in (query.astype(np.float64)[None], np.zeros((1, 60))):
        assert_rounding_is_bounded(lambda dtype, q=slices: SLICED.scorer(q, 1.0, options, dtype), 1, keys)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("order", [2, 16])
def test_no_power_leaves_the_range(order, size):
    query, keys = sample()
    options = {"token_dim": 12, "order": order}
    plain = attend(SLICED, query, keys, options=options)
    scaled = attend(SLICED, query * np.float32(size), keys * np.float32(size), options=options)
    np.testing.assert_allclose(scaled.logit / size, plain.logit, rtol=1e-5)


def test_many_lines_are_taken_in_small_blocks():
    query, keys = sample(500)
    calls = []
    options = {"token_dim": 12, "n_projections": 2000}
    attend(SLICED, query, keys, options=options, checkpoint=lambda: calls.append(1))
    assert len(calls) > 500 * 5 * 2000 * 4 / BLOCK_BYTES / 3


def test_it_agrees_with_pot_and_scipy():
    golden = load("sliced_wasserstein")
    options = {"token_dim": 6, "n_projections": 40, "seed": 3}
    np.testing.assert_allclose(lines(6, options), golden["lines"], atol=1e-7)
    weights = attend(SLICED, golden["query"], golden["keys"], options=options)
    np.testing.assert_allclose(-weights.logit, golden["distance"], rtol=1e-5)
    scalar = attend(SLICED, golden["query"], golden["keys"], options={"token_dim": 1, "order": 1})
    np.testing.assert_allclose(-scalar.logit, golden["scalar"], rtol=1e-5)
