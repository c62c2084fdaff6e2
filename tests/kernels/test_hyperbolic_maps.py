"""Maps between Poincare ball, hyperboloid and tangent spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ruattn_fdw.kernels.errors import InvalidOption, OutOfDomain
from ruattn_fdw.kernels.hyperbolic import maps
from ruattn_fdw.kernels.hyperbolic.space import arcosh1p, artanh, positive_curvature

with np.load(Path(__file__).parents[1] / "golden" / "poincare.npz") as FILE:
    GOLDEN = {key: FILE[key].astype(np.float64) for key in FILE.files}
C = float(GOLDEN["curvature"])
KEYS, OTHERS = GOLDEN["keys"], GOLDEN["others"]


@pytest.mark.parametrize("row", range(0, 63, 7))
def test_sums_and_maps_are_those_of_geoopt(row):
    a, b = KEYS[row], OTHERS[row]
    np.testing.assert_allclose(maps.mobius_add(a, b, C), GOLDEN["sums"][row], rtol=1e-12)
    np.testing.assert_allclose(maps.exp_map(a * 0.5, b * 0.3, C), GOLDEN["moved"][row], rtol=1e-12)
    np.testing.assert_allclose(maps.log_map(a, b, C), GOLDEN["logarithms"][row], rtol=1e-12)
    query = GOLDEN["query"]
    assert maps.poincare_distance(query, a, C) == pytest.approx(GOLDEN["distance"][row], rel=1e-12)


@pytest.mark.parametrize("c", [1.0, 0.3, 7.0])
def test_each_map_undoes_the_other(c):
    random = np.random.RandomState(0)
    base, point = random.standard_normal((2, 5)) * 0.2 / np.sqrt(c)
    np.testing.assert_allclose(maps.exp_map(base, maps.log_map(base, point, c), c), point, rtol=1e-12)
    np.testing.assert_allclose(
        maps.lorentz_to_poincare(maps.poincare_to_lorentz(point, c), c), point, rtol=1e-14
    )
    np.testing.assert_allclose(maps.mobius_add(-base, maps.mobius_add(base, point, c), c), point, rtol=1e-12)


@pytest.mark.parametrize("c", [1.0, 0.3])
def test_ball_and_hyperboloid_agree_on_distances(c):
    a, b = np.array([0.1, -0.4]), np.array([0.3, 0.5])
    on_sheet = maps.poincare_to_lorentz(a, c), maps.poincare_to_lorentz(b, c)
    assert maps.lorentz_distance(*on_sheet, c) == pytest.approx(maps.poincare_distance(a, b, c), rel=1e-14)
    assert maps.minkowski_dot(on_sheet[0], on_sheet[0]) == pytest.approx(-1 / c, rel=1e-14)


def test_no_map_leaves_the_ball():
    near, long = np.array([0.99, 0.0]), np.array([50.0, 3.0])
    for point in (maps.exp_map(near, long, 1.0), maps.mobius_add(near, near, 1.0)):
        assert np.linalg.norm(point) < 1 - 0.99e-5
    far = np.array([np.sqrt(1 + 1e20), 1e10])
    assert np.linalg.norm(maps.lorentz_to_poincare(far, 1.0)) < 1 - 0.99e-5


def test_a_zero_tangent_stays_and_the_own_point_has_none():
    base = np.array([0.3, 0.4])
    np.testing.assert_allclose(maps.exp_map(base, np.zeros(2), 1.0), base)
    np.testing.assert_array_equal(maps.log_map(base, base, 1.0), [0, 0])


@pytest.mark.parametrize("function", [maps.poincare_distance, maps.mobius_add, maps.log_map, maps.exp_map])
def test_points_outside_of_the_ball_are_errors(function):
    with pytest.raises(OutOfDomain, match="lies outside of the ball of radius 1, its norm is 5"):
        function(np.array([3.0, 4.0]), np.array([0.1, 0.1]), 1.0)


def test_points_off_the_hyperboloid_are_errors():
    on, off = np.array([1.0, 0.0]), np.array([-1.0, 0.0])
    with pytest.raises(
        OutOfDomain, match=r"b does not lie on the hyperboloid of curvature -1: .* is -1, .* it 1"
    ):
        maps.lorentz_distance(on, off, 1.0)


@pytest.mark.parametrize("curvature", [0.0, np.nan, np.inf, 1e-300])
def test_curvature_has_a_size(curvature):
    with pytest.raises(InvalidOption, match="curvature is"):
        positive_curvature(curvature)


def test_arguments_are_clipped_to_their_domain():
    assert arcosh1p(np.array(-1e-17)) == 0
    assert np.isfinite(artanh(np.array(1.0)))
    assert arcosh1p(np.array(1e300)) == pytest.approx(np.log(2) + 300 * np.log(10))
    assert arcosh1p(np.array(1e-20)) == pytest.approx(np.sqrt(2) * 1e-10, rel=1e-9)
