"""Sheaf attention."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import NumericOverflow
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import find
from test_golden import load
from twins import softmax_over_heads

SHEAF = find("sheaf")


def sample(n=200, d=24, seed=0):
    random = np.random.RandomState(seed)
    mixing = random.standard_normal((d, d))
    return (
        (random.standard_normal(d) @ mixing).astype(np.float32),
        (random.standard_normal((n, d)) @ mixing).astype(np.float32),
    )


def whitening(keys):
    keys = keys.astype(np.float64)
    covariance = np.cov(keys.T, ddof=0) + 1e-6 * np.eye(keys.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ np.diag(values**-0.5) @ vectors.T


@pytest.mark.parametrize(("heads", "beta"), [(1, None), (4, None), (1, 0.02)])
def test_it_agrees_with_its_twin(heads, beta):
    query, keys = sample()
    weights = attend(SHEAF, query, keys, num_heads=heads, options={"beta": beta}, temperature=1.5)
    rho = whitening(keys)
    q, k = rho @ query.astype(np.float64), keys.astype(np.float64) @ rho
    width = 24 // heads
    factor = (1 / (2 * np.sqrt(width)) if beta is None else beta) / 1.5
    expected = softmax_over_heads(
        [-factor * ((k[:, s : s + width] - q[s : s + width]) ** 2).sum(axis=1) for s in range(0, 24, width)]
    )
    np.testing.assert_allclose(weights.score, expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-6)


@pytest.mark.parametrize("heads", [1, 3])
def test_identity_maps_are_the_gaussian_kernel(heads):
    query, keys = sample()
    query, keys = query / np.float32(5), keys / np.float32(5)
    mine = attend(SHEAF, query, keys, num_heads=heads, options={"maps": "identity"})
    kernel = attend(find("gaussian_kernel"), query, keys, num_heads=heads)
    np.testing.assert_allclose(mine.score, kernel.score, rtol=1e-5)
    np.testing.assert_allclose(mine.logit, kernel.logit, rtol=1e-5)


def test_any_linear_map_of_all_vectors_leaves_the_weights_alone():
    query, keys = sample()
    mixing = np.random.RandomState(7).standard_normal((24, 24)) + 3 * np.eye(24)
    before = attend(SHEAF, query, keys)
    after = attend(SHEAF, (query @ mixing).astype(np.float32), (keys @ mixing).astype(np.float32))
    np.testing.assert_allclose(after.score, before.score, rtol=1e-3, atol=1e-9)


def test_keys_above_the_threshold_are_masked_out():
    query, keys = sample()
    plain = attend(SHEAF, query, keys)
    energies = -plain.logit * 2 * np.sqrt(24)
    limit = float(np.median(energies))
    weights = attend(SHEAF, query, keys, options={"energy_threshold": limit})
    np.testing.assert_array_equal(~np.isnan(weights.logit), energies <= np.float32(limit))
    np.testing.assert_allclose(weights.score.sum(dtype=np.float64), 1, rtol=1e-5)


def test_no_key_below_the_threshold_gives_no_output():
    query, keys = sample()
    [block] = outputs(Settings(SHEAF, 24, options={"energy_threshold": 0}), query[None], keys, None)
    assert block.empty.all()


def test_outputs_are_made_of_mapped_keys_and_of_values_as_they_are():
    query, keys = sample()
    values = np.random.RandomState(2).standard_normal((200, 3)).astype(np.float32)
    score = attend(SHEAF, query, keys).score.astype(np.float64)
    [own], [given] = (list(outputs(Settings(SHEAF, 24), query[None], keys, v)) for v in (None, values))
    np.testing.assert_allclose(own.output[0], score @ (keys.astype(np.float64) @ whitening(keys)), atol=1e-5)
    np.testing.assert_allclose(given.output[0], score @ values, rtol=1e-4, atol=1e-6)


def test_fewer_keys_than_dimensions_are_no_division_by_zero():
    query, keys = sample(3)
    weights = attend(SHEAF, query, keys)
    np.testing.assert_allclose(weights.score.sum(), 1, rtol=1e-6)


def test_an_energy_beyond_float32_names_its_row():
    query, keys = sample()
    keys[7] = 1e30
    with pytest.raises(NumericOverflow, match="query and row 7"):
        attend(SHEAF, query, keys, options={"maps": "identity"})


@pytest.mark.parametrize("settings", [{"options": {"beta": 1e308}}, {"temperature": 1e-300}])
def test_a_logit_beyond_float32_names_its_row(settings):
    query, keys = sample()
    with pytest.raises(NumericOverflow, match="the logit of query and row 0"):
        attend(SHEAF, query, keys, **settings)


def test_it_agrees_with_scipy():
    golden = load("sheaf")
    weights = attend(SHEAF, golden["query"], golden["keys"])
    energies = -weights.logit.astype(np.float64) * 2 * np.sqrt(len(golden["query"]))
    np.testing.assert_allclose(energies, golden["energies"], rtol=1e-5)
