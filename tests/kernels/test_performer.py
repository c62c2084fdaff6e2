"""Random features of the softmax kernel."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.linear.performer import drawn
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find
from samples import assert_rounding_is_bounded

PERFORMER = find("performer")


def sample(n=63, d=24, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def twin(query, keys, m, seed, temperature=1.0):
    """The kernel (n,) of each key, feature by feature."""
    directions = drawn(len(query), {"features": m, "seed": seed})

    def phi(x):
        scaled = x.astype(np.float64) / (len(x) ** 0.25 * np.sqrt(temperature))
        return np.array([np.exp(w @ scaled - scaled @ scaled / 2) for w in directions]) / np.sqrt(m)

    return np.array([phi(query) @ phi(key) for key in keys])


@pytest.mark.parametrize(("n", "m", "temperature"), [(1, 1, 1.0), (63, 256, 1.0), (500, 50, 0.5)])
def test_it_agrees_with_its_twin(n, m, temperature):
    query, keys = sample(n)
    weights = attend(PERFORMER, query, keys, options={"features": m, "seed": 3}, temperature=temperature)
    kernel = twin(query, keys, m, 3, temperature)
    np.testing.assert_allclose(weights.score, kernel / kernel.sum(), rtol=1e-5)
    np.testing.assert_allclose(weights.shown_logit(np.arange(n)), kernel, rtol=2e-5)
    np.testing.assert_allclose(weights.lse, [np.log(kernel.sum())], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("width", [1, 2, 3, 16])
def test_the_mean_over_draws_is_the_kernel_of_the_softmax(width, side):
    query, key = np.full(width, 0.6 * side), np.full(width, 0.5 * side)
    draws = [
        pair_logit(PERFORMER, query, key, options={"features": width, "seed": seed}) for seed in range(400)
    ]
    wanted = np.exp(query @ key / np.sqrt(width))
    assert abs(np.mean(draws) - wanted) < 4 * np.std(draws) / np.sqrt(len(draws))


def test_more_features_come_nearer_to_the_softmax():
    query, keys = sample(63)
    query, keys = query / np.float32(2), keys / np.float32(2)
    soft = attend(find("scaled_dot"), query, keys).score
    errors = [
        np.abs(attend(PERFORMER, query, keys, options={"features": m}).score - soft).max()
        for m in (16, 1024, 16384)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-3


def test_directions_are_orthogonal_in_blocks_and_as_long_as_normal_vectors():
    directions = drawn(24, {"features": 60, "seed": 0})
    products = directions[:24] @ directions[:24].T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    lengths = np.linalg.norm(drawn(24, {"features": 4800, "seed": 0}), axis=1)
    assert (lengths**2).mean() == pytest.approx(24, rel=0.02)


@pytest.mark.parametrize("width", [1, 3, 16])
def test_directions_favour_no_side(width):
    draws = np.array([drawn(width, {"features": width, "seed": seed}) for seed in range(400)])
    assert (np.abs(draws.mean(axis=0)) < 5 * draws.std(axis=0) / np.sqrt(len(draws))).all()


def test_long_vectors_do_not_overflow():
    query, keys = sample()
    weights = attend(PERFORMER, query * np.float32(1000), keys * np.float32(1000))
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, rtol=1e-5)


def test_the_state_gives_the_output_of_the_weights():
    query, keys = sample(200)
    values = np.random.RandomState(1).standard_normal((200, 6)).astype(np.float32)
    settings = Settings(PERFORMER, 24, 2)
    [by_state] = outputs(settings, query[None], keys, values, entropy=False)
    [by_weights] = outputs(settings, query[None], keys, values)
    np.testing.assert_allclose(by_state.output, by_weights.output, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_state.lse, by_weights.lse, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [0.01, 1, 30])
def test_the_bound_on_rounding_holds(size):
    query, keys = sample(500)
    slices, options = size * query.astype(np.float64).reshape(4, -1), {"features": 100, "seed": 0}
    assert_rounding_is_bounded(lambda dtype: PERFORMER.scorer(slices, 1.0, options, dtype), 4, keys)


def test_directions_of_wide_keys_are_orthogonal_and_no_more_than_are_wanted():
    directions = drawn(16384, {"features": 64, "seed": 5})
    assert directions.shape == (64, 16384)
    products = directions @ directions.T
    np.testing.assert_allclose(products - np.diag(np.diag(products)), 0, atol=1e-8 * 16384)
    # as long as vectors of independent normal numbers are
    np.testing.assert_allclose(np.sqrt(np.diag(products)), np.sqrt(16384), rtol=0.05)


def test_directions_that_would_take_minutes_are_refused():
    query, keys = sample(3, 16384)
    with pytest.raises(InvalidOption, match=r"65536 features of 16384 dimensions are \d+ numbers"):
        attend(PERFORMER, query, keys, options={"features": 65536})
