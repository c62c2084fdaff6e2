"""Attention within clusters."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.registry import find
from test_golden import load
from twins import scaled_dot

ROUTING = find("routing")


def sample(n=500, d=24, seed=0):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize("options", [{"n_clusters": 1}, {"n_clusters": 7, "nprobe": 7}])
def test_all_clusters_are_scaled_dot(options):
    query, keys = sample()
    weights, plain = attend(ROUTING, query, keys, options=options), attend(find("scaled_dot"), query, keys)
    np.testing.assert_array_equal(weights.score, plain.score)


def test_more_probes_see_more_keys_and_the_same_ones():
    query, keys = sample()
    seen = [
        set(np.flatnonzero(~np.isnan(attend(ROUTING, query, keys, options={"nprobe": probes}).logit)))
        for probes in (1, 3, 9)
    ]
    assert seen[0] < seen[1] < seen[2]


def test_keys_of_the_cluster_share_the_weight_by_heads():
    query, keys = sample()
    weights = attend(ROUTING, query, keys, num_heads=4)
    seen = np.flatnonzero(~np.isnan(weights.logit))
    assert 0 < len(seen) < 250
    np.testing.assert_allclose(
        weights.head_scores[:, seen], scaled_dot(query, keys[seen], 4).head_scores, rtol=1e-5
    )


def test_clusters_go_by_the_angle():
    golden = load("routing")
    lengths = np.random.RandomState(3).uniform(0.5, 20, (100, 1)).astype(np.float32)
    weights = attend(ROUTING, golden["query"], golden["keys"] * lengths, options={"n_clusters": 5})
    np.testing.assert_array_equal(np.isnan(weights.logit), golden["weights"] == 0)


def test_planted_clusters_are_found_as_scikit_learn_finds_them():
    golden = load("routing")
    weights = attend(ROUTING, golden["query"], golden["keys"], options={"n_clusters": 5})
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5, atol=1e-12)


def test_more_probes_than_clusters_are_refused():
    with pytest.raises(InvalidOption, match="nprobe is 9, n_clusters is 4"):
        attend(ROUTING, *sample(), options={"n_clusters": 4, "nprobe": 9})


def test_fewer_rows_than_clusters_are_a_cluster_each():
    query, keys = sample(3)
    weights = attend(ROUTING, query, keys, options={"n_clusters": 100})
    nearest = (keys @ query / np.linalg.norm(keys, axis=1)).argmax()
    np.testing.assert_array_equal(np.flatnonzero(weights.score), [nearest])
