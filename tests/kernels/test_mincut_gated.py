"""Attention within the query's community."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.graph.mincut_gated import Network
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.topology.neighbours import NEAREST_KEYS, unit_rows
from test_golden import load

MINCUT = find("mincut_gated")


def planted(sizes=(15, 30, 40), d=24, noise=0.15, seed=0):
    """Clusters of keys, and a query in the first."""
    random = np.random.RandomState(seed)
    centres = np.linalg.qr(random.standard_normal((d, d)))[0][: len(sizes)]
    keys = np.repeat(centres, sizes, axis=0) + noise * random.standard_normal((sum(sizes), d))
    query = centres[0] + noise * random.standard_normal(d)
    return query.astype(np.float32), keys.astype(np.float32)


def network(query, keys, knn=8):
    neighbours = NEAREST_KEYS.of(keys, knn, checkpoint=uninterrupted)
    return Network(neighbours, unit_rows(keys) @ unit_rows(query[None])[0], knn)


def seen(weights):
    return np.flatnonzero(~np.isnan(weights.logit))


def test_a_planted_cluster_is_recovered():
    query, keys = planted()
    weights = attend(MINCUT, query, keys)
    np.testing.assert_array_equal(seen(weights), np.arange(15))
    own = attend(find("scaled_dot"), query, keys[:15])
    np.testing.assert_allclose(weights.score[:15], own.score, rtol=1e-6)
    np.testing.assert_allclose(weights.lse, own.lse, rtol=1e-7)
    assert weights.notes["Community"] == 15


def test_communities_shrink_as_the_drains_grow():
    query, keys = planted(noise=0.4)
    alphas = np.arange(0, 1, 0.05)
    communities = [set(seen(attend(MINCUT, query, keys, options={"alpha": alpha}))) for alpha in alphas]
    assert all(after <= before for before, after in pairwise(communities))
    assert len(communities[0]) > len(communities[-1])


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4])
def test_no_other_side_has_a_cheaper_cut(alpha):
    query, keys = planted(noise=0.4)
    graph = network(query, keys)
    drain = round(alpha * graph.scale)
    best = graph.cut_value(graph.community(drain), drain)
    random = np.random.RandomState(1)
    for share in random.uniform(0, 1, 2000):
        assert graph.cut_value(random.uniform(size=len(keys)) < share, drain) >= best


def test_the_cut_has_the_value_that_networkx_finds():
    golden = load("mincut_gated")
    graph = network(golden["query"], golden["keys"])
    for alpha, value in zip(golden["alphas"], golden["values"], strict=True):
        drain = round(alpha * graph.scale)
        assert graph.cut_value(graph.community(drain), drain) / graph.scale == pytest.approx(value, abs=2e-4)


def test_without_drains_everything_that_is_connected_is_seen():
    query, keys = planted(noise=1.0)
    weights = attend(MINCUT, query, keys, options={"alpha": 0})
    np.testing.assert_array_equal(weights.score, attend(find("scaled_dot"), query, keys).score)


@pytest.mark.parametrize("wanted", [1, 10, 40, 1000])
def test_the_community_has_the_rows_wanted_where_there_are_so_many(wanted):
    query, keys = planted()
    assert len(seen(attend(MINCUT, query, keys, options={"min_rows": wanted}))) >= min(wanted, 15)


def test_keys_that_have_nothing_in_common_with_the_query_are_not_seen():
    keys = np.eye(6, dtype=np.float32)
    weights = attend(MINCUT, -np.ones(6, np.float32), keys)
    assert np.isnan(weights.logit).all()
    assert (weights.score == 0).all()


@pytest.mark.parametrize("n", [1, 2, 9])
def test_fewer_keys_than_neighbours(n):
    query, keys = planted((n,))
    assert len(seen(attend(MINCUT, query, keys, options={"alpha": 0}))) == n
