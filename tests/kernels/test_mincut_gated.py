"""Attention within the query's community."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from graph_twins import minimum_cut
from pieces import seconds_of_pieces
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidOption
from ruattn_fdw.kernels.graph import mincut_gated
from ruattn_fdw.kernels.graph.mincut_gated import GRAPH, Network
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.topology.neighbours import unit_rows
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
    graph = GRAPH.of(keys, knn, checkpoint=uninterrupted)
    return Network(graph, unit_rows(keys) @ unit_rows(query[None])[0], knn, uninterrupted)


def edges(query, keys, scale, knn=8):
    """{(i, j): capacity}, i < j, as the card has it; the query is the last node."""
    nodes = unit_rows(np.vstack([keys, query]))
    alike = nodes @ nodes.T
    found = {}
    for i in range(len(nodes)):
        others = [j for j in range(len(nodes)) if j != i]
        for j in sorted(others, key=lambda j, i=i: -alike[i, j])[:knn]:
            found[min(i, j), max(i, j)] = round(max(0, alike[i, j]) * scale)
    return found


def cut_value(edges, side, drain):
    """What is cut where these keys (n,) are on the query's side."""
    inside = np.append(side, True)
    return sum(capacity for (i, j), capacity in edges.items() if inside[i] != inside[j]) + drain * side.sum()


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


@pytest.mark.parametrize("knn", [1, 3, 8, 100])
@pytest.mark.parametrize("alpha", [0, 0.05, 0.2, 0.4])
@pytest.mark.parametrize("n", [1, 2, 9, 85])
def test_the_community_is_the_side_of_the_cut(n, alpha, knn):
    query, keys = planted(noise=0.4)
    keys = keys[:: len(keys) // n][:n]
    graph = network(query, keys, knn)
    drain = round(alpha * graph.scale)
    both_ways = {}
    for (i, j), capacity in edges(query, keys, graph.scale, knn).items():
        both_ways |= {(i, j): capacity, (j, i): capacity}
    drains = {(i, n + 1): drain for i in range(n)}
    value, side = minimum_cut(both_ways | drains, n, n + 1)
    found = graph.flow.raised(drain, uninterrupted).side
    np.testing.assert_array_equal(np.flatnonzero(found), sorted(side - {n}))
    assert cut_value(edges(query, keys, graph.scale, knn), found, drain) == value


def test_the_cut_has_the_value_that_networkx_finds():
    golden = load("mincut_gated")
    query, keys = golden["query"], golden["keys"]
    graph = network(query, keys)
    for alpha, value in zip(golden["alphas"], golden["values"], strict=True):
        drain = round(alpha * graph.scale)
        side = graph.flow.raised(drain, uninterrupted).side
        found = cut_value(edges(query, keys, graph.scale), side, drain)
        assert found / graph.scale == pytest.approx(value, abs=2e-4)


@pytest.mark.parametrize("wanted", [1, 5, 20, 60, 85])
def test_the_drains_are_the_largest_that_leave_so_many_keys(wanted):
    query, keys = planted(noise=0.4)
    weights = attend(MINCUT, query, keys, options={"min_rows": wanted})
    graph = network(query, keys)
    drain = round(weights.notes["Alpha"] * graph.scale)
    here, further = (graph.flow.raised(drain + more, uninterrupted).side.sum() for more in (0, 1))
    assert here == weights.notes["Community"] >= wanted > further


def test_more_edges_than_can_be_counted_are_refused(monkeypatch):
    monkeypatch.setattr(mincut_gated, "MOST_ARCS", 1000)
    query, keys = planted()
    attend(MINCUT, query, keys, options={"knn": 5})
    with pytest.raises(InvalidOption, match="knn is 6 over 85 rows"):
        attend(MINCUT, query, keys, options={"knn": 6})


def test_without_drains_everything_that_is_connected_is_seen():
    query, keys = planted(noise=1.0)
    weights = attend(MINCUT, query, keys, options={"alpha": 0})
    np.testing.assert_array_equal(weights.score, attend(find("scaled_dot"), query, keys).score)


def test_a_cancel_gets_in_between_pieces_of_a_flow_over_many_edges():
    keys = (np.random.RandomState(0).standard_normal((2048, 16)) + 1).astype(np.float32)
    pieces = seconds_of_pieces(
        lambda checkpoint: attend(MINCUT, keys[7], keys.copy(), options={"knn": 1024}, checkpoint=checkpoint)
    )
    assert pieces.max() < 0.1


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
