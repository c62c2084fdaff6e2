"""The mechanisms over hyperbolic spaces: against geoopt, their twins, and where digits get scarce."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_twins import TWINS
from ruattn_fdw.kernels.arrays import BLOCK_BYTES, uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, NumericOverflow, OutOfDomain
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.ranking import ranked
from ruattn_fdw.kernels.registry import find

GOLDEN = Path(__file__).parents[1] / "golden"
HYPERBOLIC, POINCARE, LORENTZ = find("hyperbolic"), find("poincare"), find("lorentz")
ALL = (HYPERBOLIC, POINCARE, LORENTZ)


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def sample(n=300, d=24, size=0.15, seed=0):
    random = np.random.RandomState(seed)
    query = (size * random.standard_normal(d)).astype(np.float32)
    return query, (size * random.standard_normal((n, d))).astype(np.float32)


def options_of(mechanism, **given):
    return parse_options(mechanism, given)


@pytest.mark.parametrize(
    ("name", "oracle", "options"),
    [
        ("hyperbolic", "distance", {}),
        ("poincare", "distance", {}),
        ("lorentz", "geodesic", {"distance": "geodesic"}),
    ],
)
def test_distances_are_those_of_geoopt(name, oracle, options):
    file = golden(name)
    given = {**options, "curvature": float(file["curvature"])}
    for key, distance in zip(file["keys"], file[oracle], strict=True):
        assert pair_logit(find(name), file["query"], key, options=given) == pytest.approx(
            -distance, rel=1e-10
        )


def test_squared_lorentzian_distance_is_that_of_geoopt():
    file = golden("lorentz")
    weights = attend(LORENTZ, file["query"], file["keys"], options={"curvature": 0.7})
    np.testing.assert_allclose(weights.logit, -file["squared"] / np.sqrt(12), rtol=2e-7)


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_weights_are_those_of_geoopt(mechanism):
    file = golden(mechanism.name)
    weights = attend(mechanism, file["query"], file["keys"], options={"curvature": float(file["curvature"])})
    np.testing.assert_allclose(weights.score, file["weights"], rtol=1e-6)


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_outputs_are_those_of_geoopt(mechanism):
    file = golden(mechanism.name)
    values = file.get("values", file["keys"])[None]
    options = options_of(mechanism, curvature=float(file["curvature"]))
    output = mechanism.aggregate(file["weights"][None, None], values, options, uninterrupted)
    np.testing.assert_allclose(output[0, 0], file["output"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("curvature", [1.0, -0.5, 1e-3])
@pytest.mark.parametrize("temperature", [None, 0.3])
@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_kernel_agrees_with_its_twin(mechanism, temperature, curvature, heads):
    query, keys = sample()
    given = {} if temperature is None else {"temperature": temperature}
    weights = attend(mechanism, query, keys, num_heads=heads, options={"curvature": curvature}, **given)
    expected = TWINS[mechanism.name](query, keys, heads, curvature=curvature, **given)
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.head_scores, expected.head_scores, rtol=1e-5)
    np.testing.assert_allclose(weights.logit, expected.logit, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)


def test_beta_and_bias_of_hyperbolic():
    query, keys = sample()
    options = {"beta": 2.5, "bias": -0.7}
    weights = attend(HYPERBOLIC, query, keys, options=options)
    np.testing.assert_allclose(weights.logit, TWINS["hyperbolic"](query, keys, **options).logit, rtol=1e-5)


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_both_signs_of_the_curvature_mean_the_same_space(mechanism):
    query, keys = sample()
    plus = attend(mechanism, query, keys, options={"curvature": 0.5})
    minus = attend(mechanism, query, keys, options={"curvature": -0.5})
    np.testing.assert_array_equal(plus.score, minus.score)


@pytest.mark.parametrize("curvature", [0, 0.0, 1e-13])
@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_no_curvature_is_an_error(mechanism, curvature):
    with pytest.raises(InvalidOption, match=r"curvature is .*, its size must lie in") as caught:
        attend(mechanism, *sample(), options={"curvature": curvature})
    assert "Euclidean" in caught.value.hint


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-6, 0.05])
def test_a_vector_is_at_distance_0_from_itself(mechanism, size):
    query, _ = sample(size=size)
    weights = attend(mechanism, query, np.tile(query, (3, 1)))
    np.testing.assert_array_equal(weights.logit, 0)


@pytest.mark.parametrize(
    ("mechanism", "factor"), [(HYPERBOLIC, 1), (POINCARE, 2)], ids=["hyperbolic", "poincare"]
)
def test_without_much_curvature_distances_are_euclidean(mechanism, factor):
    query, keys = sample()
    weights = attend(mechanism, query, keys, options={"curvature": 1e-9})
    expected = factor * np.linalg.norm(query.astype(np.float64) - keys, axis=1)
    np.testing.assert_allclose(-weights.logit, expected, rtol=1e-6)


def test_near_points_keep_their_digits():
    query = np.full(8, 0.1, np.float32)
    key = query + np.float32(1e-6)
    apart = np.linalg.norm(query.astype(np.float64) - key)
    conformal = 2 / (1 - float(np.dot(query.astype(np.float64), query)))
    assert -pair_logit(POINCARE, query, key) == pytest.approx(conformal * apart, rel=1e-5)


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
@pytest.mark.parametrize("size", [1e-20, 1e-4, 0.15])
def test_float32_logits_are_off_by_no_more_than_the_bound(mechanism, size):
    query, keys = sample(size=size)
    slices, options = query.astype(np.float64).reshape(4, -1), options_of(mechanism)
    scorer = mechanism.scorer(slices, 1.0, options, np.float32)
    fast, exact = np.empty((4, len(keys)), np.float32), np.empty((4, len(keys)))
    scorer.logits(keys, fast)
    mechanism.scorer(slices, 1.0, options, np.float64).logits(keys.astype(np.float64), exact)
    assert (np.abs(fast - exact).max(axis=0) <= scorer.rounding(keys)).all()


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: m.name)
def test_equal_rows_come_by_id(mechanism):
    query, keys = sample(500)
    ids = np.random.RandomState(1).permutation(500)
    weights = attend(mechanism, query, keys[np.arange(500) % 5], num_heads=4)
    rows = np.concatenate(list(ranked(weights, ids)))
    for group in range(5):
        members = rows[rows % 5 == group]
        assert len(np.unique(weights.score[members])) == 1
        assert (np.diff(ids[members]) > 0).all()


def test_a_key_outside_of_the_ball_is_an_error_that_names_its_row_and_norm():
    query, keys = sample(5000, size=0.1)
    keys[4321] = 0.5
    with pytest.raises(
        OutOfDomain, match=r"row 4321 lies outside of the ball of radius 1, its norm is 2\.4"
    ) as caught:
        attend(POINCARE, query, keys)
    assert caught.value.row == 4321
    assert "project" in caught.value.hint


def test_a_query_outside_of_the_ball_is_an_error():
    query, keys = sample()
    with pytest.raises(
        OutOfDomain, match=r"query lies outside of the ball of radius 2, its norm is "
    ) as caught:
        attend(POINCARE, query + 1, keys, options={"curvature": 0.25})
    assert caught.value.row is None


def test_unit_vectors_lie_at_the_edge():
    unit = np.array([0.6, 0.8], np.float32)
    with pytest.raises(OutOfDomain, match="query lies at the edge of the ball"):
        attend(POINCARE, unit, unit[None] / 2)


def test_projection_draws_points_to_the_edge():
    keys = np.array([[3, 0], [0.9999999, 0], [0.5, 0]], np.float32)
    weights = attend(POINCARE, np.array([0.5, 0], np.float32), keys, options={"project": True})
    edge = TWINS["poincare"](np.array([0.5, 0]), np.array([[1 - 1e-5, 0]])).logit[0]
    np.testing.assert_allclose(weights.logit, [edge, edge, 0], rtol=1e-6)
    remark = POINCARE.remark(keys, 1, options_of(POINCARE, project=True))
    assert remark == "2 of 3 vectors lie outside of the ball and were projected onto it"
    assert POINCARE.remark(keys[2:], 1, options_of(POINCARE, project=True)) is None
    assert POINCARE.remark(keys, 1, options_of(POINCARE)) is None


def test_values_that_are_no_points_of_the_ball_are_summed_only_if_asked_for():
    values, weights = np.array([[[3.0, 0], [0, 5]]]), np.array([[[0.5, 0.5]]])
    with pytest.raises(OutOfDomain, match="a value lies outside of the ball"):
        POINCARE.aggregate(weights, values, options_of(POINCARE), uninterrupted)
    plain = POINCARE.aggregate(weights, values, options_of(POINCARE, aggregate="euclidean"), uninterrupted)
    np.testing.assert_array_equal(plain, [[[1.5, 2.5]]])


@pytest.mark.parametrize("radius", [1e-6, 1.0, 20.0, 300.0])
def test_the_centroid_of_one_point_is_that_point_however_far(radius):
    random = np.random.RandomState(2)
    values = random.standard_normal((1, 5, 6))
    values *= radius / np.linalg.norm(values, axis=2, keepdims=True)
    output = HYPERBOLIC.aggregate(np.eye(5)[None], values, options_of(HYPERBOLIC), uninterrupted)
    np.testing.assert_allclose(output, values, rtol=1e-12)


def test_the_centroid_of_far_points_keeps_its_digits():
    # two points at radius r, an angle apart: the middle of their geodesic has cosh(m) = cosh(r) / cosh(d / 2)
    r, angle = 25.0, 1e-6
    values = r * np.array([[[np.cos(angle), np.sin(angle)], [np.cos(angle), -np.sin(angle)]]])
    output = HYPERBOLIC.aggregate(np.full((1, 1, 2), 0.5), values, options_of(HYPERBOLIC), uninterrupted)
    half = np.arcsinh(np.sinh(r) * np.sin(angle))
    middle = (
        r - half + np.log(2 / (1 + np.exp(-2 * half))) if half > 1 else np.arccosh(np.cosh(r) / np.cosh(half))
    )
    np.testing.assert_allclose(output[0, 0], [middle, 0], rtol=1e-9, atol=1e-9)


def test_hyperbolic_takes_vectors_up_to_radius_350():
    keys = np.zeros((3, 4), np.float32)
    keys[2, 0] = 349
    weights = attend(HYPERBOLIC, keys[1], keys)
    assert weights.logit[2] == pytest.approx(-349)
    keys[2, 0] = 351
    with pytest.raises(
        OutOfDomain, match=r"row 2 is too long for hyperbolic space: its norm is 351, at most 350"
    ):
        attend(HYPERBOLIC, keys[1], keys)


def test_opposite_vectors_at_radius_300_are_600_apart():
    query = np.array([300, 0], np.float32)
    assert pair_logit(HYPERBOLIC, query, -query) == pytest.approx(-600, rel=1e-14)


def test_a_lorentzian_distance_beyond_float32_is_an_error():
    keys = np.full((2, 4), 1e25, np.float32)
    with pytest.raises(NumericOverflow, match="the logit of query and row 0 overflows"):
        attend(LORENTZ, -keys[0], keys)


def test_the_squared_distance_of_near_points_keeps_its_digits_however_far():
    point = np.array([3e6, 4e6], np.float32)
    across = point + np.array([1, -0.75], np.float32)
    assert pair_logit(LORENTZ, point, across) == pytest.approx(-1.5625 / np.sqrt(2), rel=1e-12)


def test_the_squared_distance_from_the_origin_keeps_its_digits_however_far():
    key = np.array([3e15, 4e15], np.float32)
    expected = -2 * np.linalg.norm(key.astype(np.float64)) / np.sqrt(2)
    assert pair_logit(LORENTZ, np.zeros(2, np.float32), key) == pytest.approx(expected, rel=1e-14)


def time_first(space, c):
    time = np.sqrt(1 / c + (space.astype(np.float64) ** 2).sum(axis=-1, keepdims=True))
    return np.concatenate([time, space], axis=-1).astype(np.float32)


@pytest.mark.parametrize("distance", ["squared", "geodesic"])
def test_lorentz_takes_points_with_their_time_coordinate(distance):
    query, keys = sample(size=1)
    options = {"curvature": 0.5, "distance": distance}
    expected = attend(LORENTZ, query, keys, options=options)
    given = attend(LORENTZ, time_first(query, 0.5), time_first(keys, 0.5), options={**options, "lift": False})
    np.testing.assert_allclose(given.score, expected.score, rtol=1e-6)


def test_a_point_off_the_hyperboloid_is_an_error_with_both_values():
    keys = time_first(np.ones((3, 3), np.float32), 1.0)
    keys[1, 0] = 3
    with pytest.raises(
        OutOfDomain, match=r"row 1 does not lie .* first coordinate is 3, the others make it 2"
    ):
        attend(LORENTZ, keys[0], keys, options={"lift": False})
    with pytest.raises(InvalidShape, match="each head has 1 dimensions"):
        attend(LORENTZ, keys[0], keys, num_heads=4, options={"lift": False})


@pytest.mark.parametrize("name", ["poincare", "lorentz", "hyperbolic", "mixed_curvature"])
def test_a_cancel_gets_in_between_blocks_of_values_that_are_averaged(name):
    values = 0.01 * np.random.RandomState(4).standard_normal((1, 20_000, 64)).astype(np.float32)
    weights, calls = np.full((1, 1, 20_000), 1 / 20_000), []
    mechanism = find(name)
    mechanism.aggregate(weights, values, options_of(mechanism), lambda: calls.append(1))
    assert len(calls) >= 8 * values.size / BLOCK_BYTES
