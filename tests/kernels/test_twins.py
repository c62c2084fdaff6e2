"""Each kernel against its twin, on awkward shapes."""

from __future__ import annotations

import numpy as np
import pytest
from plain import PLAIN, TWINS
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.registry import find

SHAPES = [(1, 60, 1), (1, 60, 5), (63, 60, 1), (63, 60, 12), (500, 60, 60), (500, 1, 1), (3000, 96, 8)]


def sample(n, d, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def assert_agree(weights, expected):
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.head_scores, expected.head_scores, rtol=2e-5)
    logit = weights.shown_logit(np.arange(len(weights.score)))
    np.testing.assert_allclose(logit, expected.logit, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)
    assert weights.score.dtype == weights.logit.dtype == weights.head_scores.dtype == np.float32
    assert weights.lse.dtype == np.float64


@pytest.mark.parametrize(("n", "d", "heads"), SHAPES)
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_kernel_agrees_with_its_twin(mechanism, n, d, heads):
    query, keys = sample(n, d)
    weights = attend(mechanism, query, keys, num_heads=heads)
    assert_agree(weights, TWINS[mechanism.name](query, keys, num_heads=heads))


@pytest.mark.parametrize("mechanism", [m for m in PLAIN if m.temperature], ids=lambda m: m.name)
def test_temperature_divides_the_logits(mechanism):
    query, keys = sample(63, 60)
    weights = attend(mechanism, query, keys, num_heads=5, temperature=0.3)
    assert_agree(weights, TWINS[mechanism.name](query, keys, num_heads=5, temperature=0.3))


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_default_number_of_heads_is_that_of_the_twin(mechanism):
    query, keys = sample(63, 64)
    assert_agree(attend(mechanism, query, keys), TWINS[mechanism.name](query, keys))


@pytest.mark.parametrize(
    "view",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.repeat(a, 3, axis=0)[::3],
        lambda a: np.flip(np.flip(a, axis=1).copy(), axis=1),
        lambda a: np.hstack([a, a])[:, : a.shape[1]],
    ],
    ids=["fortran", "every second column", "every third row", "reversed columns", "part of wider rows"],
)
@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_layout_of_the_keys_does_not_matter(mechanism, view):
    query, keys = sample(500, 60)
    weights = attend(mechanism, query, view(keys), num_heads=4)
    assert_agree(weights, TWINS[mechanism.name](query, keys, num_heads=4))


def test_scale_replaces_the_default_scale():
    query, keys = sample(63, 60)
    weights = attend(find("scaled_dot"), query, keys, options={"scale": 0.7}, temperature=2.0)
    assert_agree(weights, TWINS["scaled_dot"](query, keys, scale=0.7, temperature=2.0))


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_inputs_are_left_as_they_were(mechanism):
    query, keys = sample(63, 60)
    before = query.copy(), keys.copy()
    attend(mechanism, query, keys, num_heads=4)
    np.testing.assert_array_equal(query, before[0])
    np.testing.assert_array_equal(keys, before[1])


@pytest.mark.parametrize("mechanism", PLAIN, ids=lambda m: m.name)
def test_no_keys_give_no_weights(mechanism):
    weights = attend(mechanism, np.ones(8, np.float32), np.zeros((0, 8), np.float32), num_heads=4)
    assert weights.score.shape == weights.logit.shape == (0,)
    assert weights.head_scores.shape == (4, 0)
    np.testing.assert_array_equal(weights.lse, [-np.inf] * 4)
