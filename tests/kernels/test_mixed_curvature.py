"""Attention in a product of spaces."""

from __future__ import annotations

from math import acos, pi, sqrt

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, OutOfDomain
from ruattn_fdw.kernels.hyperbolic.maps import exp_map, poincare_distance
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find
from test_golden import load
from twins import softmax_over_heads

MIXED = find("mixed_curvature")


def sample(n=63, d=60, seed=0):
    """Vectors short enough for their hyperbolic part to lie in the ball."""
    vectors = np.random.RandomState(seed).standard_normal((n + 1, d)).astype(np.float32) / 9
    return vectors[0], vectors[1:]


def squared(x, y, dims, weights=(1, 1, 1), c=1.0, kappa=1.0, lift=True):
    """D^2 part by part."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = dims[0], dims[0] + dims[1]
    total = weights[0] * ((x[:a] - y[:a]) ** 2).sum()
    if dims[1]:
        points = [exp_map(np.zeros(dims[1]), v[a:b] / 2, c) if lift else v[a:b] for v in (x, y)]
        total += weights[1] * poincare_distance(*points, c) ** 2
    if dims[2]:
        cosine = x[b:] @ y[b:] / np.linalg.norm(x[b:]) / np.linalg.norm(y[b:])
        total += weights[2] * acos(min(1, max(-1, cosine))) ** 2 / kappa
    return total


@pytest.mark.parametrize(("n", "heads"), [(1, 1), (63, 1), (63, 5), (500, 2)])
@pytest.mark.parametrize(
    "options",
    [{}, {"weights": [0.5, 2, 3], "curvature": -0.3, "kappa": 4.0}, {"lift": False}],
)
def test_it_agrees_with_its_twin(n, heads, options):
    query, keys = sample(n)
    weights = attend(MIXED, query, keys, num_heads=heads, options=options, temperature=0.5)
    width = 60 // heads
    dims = (width // 2, width // 4, width - width // 2 - width // 4)
    given = {
        "weights": options.get("weights", (1, 1, 1)),
        "c": abs(options.get("curvature", 1.0)),
        "kappa": options.get("kappa", 1.0),
        "lift": options.get("lift", True),
    }
    logits = [
        [-squared(query[part], key[part], dims, **given) / (2 * sqrt(width)) / 0.5 for key in keys]
        for part in (slice(h * width, (h + 1) * width) for h in range(heads))
    ]
    expected = softmax_over_heads([np.array(head) for head in logits])
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5)


def test_all_flat_is_the_gaussian_kernel():
    query, keys = sample()
    mine = attend(MIXED, query, keys, options={"dims": [60, 0, 0]})
    np.testing.assert_allclose(mine.score, attend(find("gaussian_kernel"), query, keys).score, rtol=1e-5)


@pytest.mark.parametrize("dims", [(60, 0, 0), (0, 60, 0), (0, 0, 60), (1, 1, 58)])
def test_a_vector_is_at_0_from_itself(dims):
    query, keys = sample()
    keys[4] = query
    weights = attend(MIXED, query, keys, options={"dims": list(dims)})
    assert weights.logit[4] == 0
    assert weights.logit.argmax() == 4


def test_little_curvature_is_flat():
    query, keys = sample()
    mine = attend(MIXED, query, keys, options={"dims": [0, 60, 0], "curvature": 1e-9})
    flat = attend(MIXED, query, keys, options={"dims": [60, 0, 0]})
    np.testing.assert_allclose(mine.score, flat.score, rtol=1e-5)


def test_opposite_directions_are_half_round():
    logit = pair_logit(MIXED, np.array([1.0, 0]), np.array([-3.0, 0]), options={"dims": [0, 0, 2]})
    assert logit == pytest.approx(-(pi**2) / (2 * sqrt(2)), rel=1e-12)


def test_outputs_are_means_in_each_space():
    query, keys = sample()
    score = attend(MIXED, query, keys).score.astype(np.float64)
    [block] = outputs(Settings(MIXED, 60), query[None], keys, None)
    wide = keys.astype(np.float64)
    np.testing.assert_allclose(block.output[0, :30], score @ wide[:, :30], atol=1e-6)
    units = wide[:, 45:] / np.linalg.norm(wide[:, 45:], axis=1, keepdims=True)
    mean = score @ units
    np.testing.assert_allclose(block.output[0, 45:], mean / np.linalg.norm(mean), atol=1e-6)
    own = outputs(Settings(find("hyperbolic"), 15), query[30:45][None], keys[:1, 30:45], None)
    [single] = outputs(Settings(MIXED, 60), query[None], keys[:1], None)
    np.testing.assert_allclose(single.output[0, 30:45], next(own).output[0], atol=1e-6)


def test_dims_that_make_another_width_are_refused():
    with pytest.raises(InvalidShape, match="dims are 10, 20 and 40, 70 in all, the width is 60"):
        attend(MIXED, *sample(), options={"dims": [10, 20, 40]})


@pytest.mark.parametrize("dims", ["60", [60], [30, 15, 15.0], [61, -1, 0], [True, 0, 59]])
def test_what_are_no_three_widths_is_refused(dims):
    with pytest.raises(InvalidOption, match=r"dims is .* an array of 3 integers"):
        attend(MIXED, *sample(), options={"dims": dims})


def test_ball_points_are_checked_unless_lifted():
    query, keys = sample()
    keys[6] *= 50
    with pytest.raises(OutOfDomain, match="outside of the ball") as caught:
        attend(MIXED, query, keys, options={"lift": False})
    assert caught.value.row == 6


def test_it_agrees_with_geoopt():
    golden = load("mixed_curvature")
    options = {"dims": [6, 4, 3], "curvature": float(golden["curvature"]), "lift": False}
    weights = attend(MIXED, golden["query"], golden["keys"], options=options)
    np.testing.assert_allclose(-weights.logit * 2 * sqrt(13), golden["squared"], rtol=1e-6)
