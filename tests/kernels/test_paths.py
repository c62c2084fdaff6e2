"""Attention over several hops against a search through all paths."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.kernels.graph.neighbours import distinct_edges, softmax_by_centre
from ruattn_fdw.kernels.graph.paths import Walk

NODES, HEADS = 9, 2


def random_graph(seed, loops):
    """Distinct edges, logits (E, H) and weights (E, H)."""
    random = np.random.RandomState(seed)
    centres, neighbours = random.randint(NODES, size=(2, 16))
    every = np.arange(NODES) if loops else np.empty(0, np.intp)
    edges = distinct_edges(Edges(centres, neighbours), every)
    logits = random.standard_normal((len(edges), HEADS)) * 2
    return edges, logits, softmax_by_centre(logits, edges.centres)


def walked(edges, logits, hops):
    walk = Walk(HEADS)
    for _ in range(hops):
        if walk.ended:
            break
        mine = np.isin(edges.centres, walk.to_expand)
        walk.step(NODES, edges.take(mine), logits[mine])
    return walk


def by_all_paths(graph, logits, weights, hops):
    """node -> (score, logit, head scores, first hop) of its best path from node 0."""
    best: dict[int, tuple] = {}
    edges = list(zip(graph.centres, graph.neighbours, range(len(graph)), strict=True))
    paths = [(0, 1.0, 0.0, np.ones(HEADS))]
    for hop in range(1, hops + 1):
        paths = [
            (k, score * weights[e].mean(), logit + logits[e].mean(), heads * weights[e])
            for node, score, logit, heads in paths
            for j, k, e in edges
            if j == node
        ]
        for node, score, logit, heads in paths:
            if node == 0 and 0 not in best and hop > 1:
                continue
            first = best[node][3] if node in best else (0 if node == 0 else hop)
            if node not in best or score > best[node][0]:
                best[node] = (score, logit, heads, first)
    return best


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("hops", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(12))
def test_every_node_has_its_best_path(seed, hops, loops):
    graph = random_graph(seed, loops)
    reached = walked(*graph[:2], hops).reached()
    expected = by_all_paths(*graph, hops)
    assert sorted(reached.node) == sorted(expected)
    for place, node in enumerate(reached.node):
        score, logit, heads, hop = expected[node]
        assert reached.score[place] == pytest.approx(score, rel=1e-12)
        assert reached.logit[place] == pytest.approx(logit, rel=1e-12)
        assert reached.hop[place] == hop
        np.testing.assert_allclose(reached.head_scores[place], heads, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_after_one_hop_the_scores_sum_to_1(seed):
    reached = walked(*random_graph(seed, True)[:2], 1).reached()
    assert reached.score.sum() == pytest.approx(1)
    assert set(reached.hop[reached.node == 0]) == {0}


def test_a_detour_may_be_better_than_the_direct_edge():
    edges = Edges(np.array([0, 0, 1]), np.array([1, 2, 2]))
    logits = np.log(np.array([[0.9, 0.9], [0.1, 0.1], [1.0, 1.0]]))
    reached = walked(edges, logits, 2).reached()
    assert reached.score[reached.node == 2] == pytest.approx(0.9)
    assert reached.hop[reached.node == 2] == 1


def test_equal_nodes_come_by_id_and_k_cuts():
    edges = Edges(np.zeros(4, np.intp), np.arange(1, 5))
    ids = np.array([0, 40, 10, 30, 20, 0, 0, 0, 0])
    walk = walked(edges, np.zeros((4, HEADS)), 1)
    np.testing.assert_array_equal(walk.reached().best(ids).node, [2, 4, 3, 1])
    np.testing.assert_array_equal(walk.reached().best(ids, 2).node, [2, 4])


def test_a_node_alone_reaches_nothing_without_a_loop():
    nothing = np.empty(0, np.intp)
    walk = walked(Edges(nothing, nothing), np.empty((0, HEADS)), 3)
    assert not len(walk.reached().node)
    assert walk.ended


def test_a_long_walk_ends_when_nothing_gets_better():
    edges = Edges(np.array([0, 1, 2]), np.array([1, 2, 0]))
    walk = walked(edges, np.zeros((3, HEADS)), 1000)
    assert walk.ended
    np.testing.assert_array_equal(sorted(walk.reached().hop), [1, 2])


def test_nodes_may_be_met_on_the_way():
    walk = Walk(HEADS)
    walk.step(2, Edges(np.array([0]), np.array([1])), np.zeros((1, HEADS)))
    np.testing.assert_array_equal(walk.to_expand, [1])
    walk.step(3, Edges(np.array([1]), np.array([2])), np.zeros((1, HEADS)))
    np.testing.assert_array_equal(walk.reached().best(np.arange(3)).node, [1, 2])
