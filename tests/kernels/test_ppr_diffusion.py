"""Personalised PageRank: against NetworkX, its twin by the inverse, and its limits."""

from __future__ import annotations

from pathlib import Path

import graph_twins
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.edges import Edges, GraphProblem
from ruattn_fdw.kernels.errors import InvalidOption, OutOfDomain
from ruattn_fdw.kernels.graph.neighbours import distinct_edges
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.registry import find

GOLDEN = Path(__file__).parents[1] / "golden" / "ppr_diffusion.npz"
MECHANISM = find("ppr_diffusion")
EXACT = {"tol": 1e-14}


def diffused(features, edges, start=0, temperature=1.0, checkpoint=uninterrupted, **options):
    chosen = parse_options(MECHANISM, {**EXACT, **options})
    return MECHANISM.weigh_graph(GraphProblem(features, edges, start, temperature, chosen, checkpoint))


def scores_of(n, edges, start=0, **settings):
    """Scores (n,) of nodes without features that count, 0 where none leads to."""
    found = diffused(np.zeros((n, 2), np.float32), edges, start, **settings)
    scores = np.zeros(n)
    scores[found.node] = found.score
    return scores


def graph(seed=0, n=30, count=70, weighted=True):
    random = np.random.RandomState(seed)
    centres, neighbours = random.randint(n, size=(2, count))
    weights = random.uniform(0.1, 3, count) if weighted else None
    return distinct_edges(Edges(centres, neighbours, weights), np.empty(0, np.intp))


def as_dict(edges, weights):
    return {(i, j): w for i, j, w in zip(edges.centres, edges.neighbours, weights, strict=True)}


def test_it_is_the_pagerank_of_networkx():
    with np.load(GOLDEN) as file:
        edges = distinct_edges(Edges(file["source"], file["target"], file["weights"]), np.empty(0, np.intp))
        scores = scores_of(40, edges, alpha=float(file["alpha"]))
        np.testing.assert_allclose(scores, file["scores"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.15, 0.7])
@pytest.mark.parametrize("start", [0, 17])
def test_it_is_the_solution_by_the_inverse(alpha, start):
    edges = graph()
    expected = graph_twins.ppr_diffusion(30, as_dict(edges, edges.attributes), start, alpha)
    np.testing.assert_allclose(scores_of(30, edges, start, alpha=alpha), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_without_weights_steps_go_to_what_is_alike(temperature):
    edges = graph(weighted=False)
    features = np.random.RandomState(1).standard_normal((30, 16)).astype(np.float32)
    products = (features.astype(np.float64) @ features.T)[edges.centres, edges.neighbours] / 4
    weights = as_dict(edges, np.exp(products / temperature))
    found = diffused(features, edges, temperature=temperature)
    expected = graph_twins.ppr_diffusion(30, weights, 0)[found.node]
    np.testing.assert_allclose(found.score, expected, rtol=0, atol=1e-12)


def test_a_temperature_takes_the_root_of_weights():
    edges = graph()
    expected = graph_twins.ppr_diffusion(30, as_dict(edges, edges.attributes**2), 0)
    np.testing.assert_allclose(scores_of(30, edges, temperature=0.5), expected, rtol=0, atol=1e-12)


def test_huge_features_do_not_overflow():
    features = np.full((3, 4), 3e38, np.float32)
    edges = Edges(np.array([0, 0, 1]), np.array([1, 2, 0]))
    assert diffused(features, edges).score.sum() == pytest.approx(1)


@given(seed=st.integers(0, 2**31), n=st.integers(1, 60), count=st.integers(0, 200), alpha=st.floats(0.02, 1))
@settings(max_examples=60, deadline=None)
def test_scores_are_a_distribution_over_what_is_reached(seed, n, count, alpha):
    found = diffused(np.zeros((n, 2), np.float32), graph(seed, n, count), alpha=alpha)
    assert (found.score >= 0).all()
    assert found.score.sum() == pytest.approx(1, abs=1e-12)
    assert found.score[found.node == 0] >= alpha * (1 - 1e-12)
    assert len(set(found.node)) == len(found.node)


def test_alpha_of_1_stays_at_the_start():
    np.testing.assert_array_equal(scores_of(30, graph(), 3, alpha=1.0), np.eye(30)[3])


def test_a_node_that_leads_nowhere_sends_all_back():
    scores = scores_of(2, Edges(np.array([0]), np.array([1]), np.ones(1)), alpha=0.2)
    np.testing.assert_allclose(scores, [1 / 1.8, 0.8 / 1.8], rtol=1e-12)


def test_a_start_without_edges_keeps_all():
    nothing = np.empty(0, np.intp)
    found = diffused(np.zeros((1, 2), np.float32), Edges(nothing, nothing))
    assert (found.node, found.score, found.hop, found.logit) == ([0], [1], [0], [0])


def test_renumbering_the_nodes_renumbers_the_scores():
    edges = graph()
    places = np.random.RandomState(4).permutation(30)
    moved = Edges(places[edges.centres], places[edges.neighbours], edges.attributes)
    moved = distinct_edges(moved, np.empty(0, np.intp))
    np.testing.assert_allclose(scores_of(30, moved, places[0])[places], scores_of(30, edges), atol=1e-13)


def test_hops_are_those_of_the_shortest_way_and_an_edge_of_weight_0_is_none():
    edges = Edges(np.array([0, 0, 1, 2, 3]), np.array([1, 4, 2, 3, 3]), np.array([1.0, 0, 1, 1, 1]))
    found = diffused(np.zeros((5, 2), np.float32), edges)
    assert dict(zip(found.node.tolist(), found.hop.tolist(), strict=True)) == {0: 0, 1: 1, 2: 2, 3: 3}


def test_what_the_iteration_ends_before_has_no_logit_and_comes_last():
    chain = np.arange(299)
    found = diffused(np.zeros((300, 2), np.float32), Edges(chain, chain + 1), tol=1e-3)
    assert len(found.node) == 300
    np.testing.assert_array_equal(np.isnan(found.logit), found.score == 0)
    assert np.isnan(found.best(np.arange(300)[::-1]).logit[-1])
    assert found.best(np.arange(300), 2).node.tolist() == [0, 1]


def test_the_tolerance_bounds_the_error():
    edges = graph()
    rough, exact = scores_of(30, edges, tol=1e-3), scores_of(30, edges)
    assert 0 < np.abs(rough - exact).sum() < 1e-3 * 0.85 / 0.15


def test_a_negative_weight_is_an_error_that_names_the_edge():
    edges = graph()
    edges.attributes[5] = -2
    with pytest.raises(OutOfDomain, match="is -2, it must be at least 0") as caught:
        scores_of(30, edges)
    assert caught.value.row == 5


def test_vectors_are_no_weights():
    edges = graph()
    with pytest.raises(InvalidOption, match="edge_column holds vectors of 3 dimensions"):
        scores_of(30, Edges(edges.centres, edges.neighbours, np.ones((len(edges), 3))))


def test_checkpoint_is_called_in_every_round():
    calls = []
    diffused(np.zeros((30, 2), np.float32), graph(), checkpoint=lambda: calls.append(1))
    assert len(calls) > 50


def test_it_ends_where_rounding_goes_round_in_circles():
    pair = Edges(np.array([0, 1]), np.array([1, 0]))
    assert scores_of(2, pair, alpha=0.01) == pytest.approx([1 / 1.99, 0.99 / 1.99], rel=1e-12)


def test_an_alpha_that_would_hardly_end_is_refused():
    pair = Edges(np.array([0, 1]), np.array([1, 0]))
    with pytest.raises(InvalidOption, match=r"alpha is 1e-20 and tol 1e-14, which may take .* rounds"):
        scores_of(2, pair, alpha=1e-20)
