"""The Fisher-Rao distance."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import OutOfDomain
from ruattn_fdw.kernels.pairs import pair_logit
from ruattn_fdw.kernels.registry import find
from samples import sample
from scoring_twins import distribution, fisher_rao, rao
from test_golden import load

FISHER_RAO = find("fisher_rao")


def test_a_temperature_of_the_distributions():
    query, keys = sample()
    weights = attend(FISHER_RAO, query, keys, num_heads=4, options={"T": 0.3})
    np.testing.assert_allclose(weights.score, fisher_rao(query, keys, 4, T=0.3).score, rtol=1e-5)


def test_counts_are_divided_by_their_sum():
    query, keys = (np.abs(a) for a in sample())
    weights = attend(FISHER_RAO, query, keys, options={"input": "probs"})
    wide = keys.astype(np.float64)
    expected = [-rao(query.astype(float) / query.sum(dtype=float), row / row.sum()) for row in wide]
    np.testing.assert_allclose(weights.logit, expected, rtol=1e-5)
    scaled = attend(FISHER_RAO, query, keys * np.float32(8), options={"input": "probs"})
    np.testing.assert_array_equal(scaled.score, weights.score)


def test_distributions_without_a_common_element_are_pi_apart():
    logit = pair_logit(FISHER_RAO, np.array([1.0, 0]), np.array([0, 2.0]), options={"input": "probs"})
    assert logit == pytest.approx(-pi, rel=1e-15)


def test_a_distribution_is_at_0_from_itself():
    query, keys = sample()
    keys[3] = query
    assert attend(FISHER_RAO, query, keys).logit[3] == 0


@pytest.mark.parametrize("step", [1e-3, 1e-5])
def test_small_steps_have_the_length_of_the_metric(step):
    query, direction = sample(1)[0].astype(np.float64), sample(1)[1][0].astype(np.float64)
    p, r = distribution(query), distribution(query + step * direction)
    metric = np.sqrt(((r - p) ** 2 / p).sum())
    distance = -pair_logit(FISHER_RAO, query, query + step * direction)
    assert distance == pytest.approx(metric, rel=2 * step + 1e-9)


@pytest.mark.parametrize(("element", "message"), [(-0.25, "its least element is -0.25"), (0, "0 throughout")])
def test_what_is_no_distribution_is_refused(element, message):
    query, keys = (np.abs(a) for a in sample())
    keys[5] = element
    with pytest.raises(OutOfDomain, match=message) as caught:
        attend(FISHER_RAO, query, keys, options={"input": "probs"})
    assert caught.value.row == 5


def test_it_agrees_with_torch():
    golden = load("fisher_rao")
    weights = attend(FISHER_RAO, golden["query"], golden["keys"])
    np.testing.assert_allclose(-weights.logit, golden["distance"], rtol=1e-6)
    np.testing.assert_allclose(
        -fisher_rao(golden["query"], golden["keys"]).logit, golden["distance"], atol=2e-15
    )
