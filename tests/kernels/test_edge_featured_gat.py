"""Attention that sees what edges carry: against PyTorch Geometric, its twin, and gat and gatv2."""

from __future__ import annotations

from pathlib import Path

import graph_twins
import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.kernels.errors import InvalidOption, OutOfDomain
from ruattn_fdw.kernels.graph.dynamic import DynamicScorer, DynamicWeights
from ruattn_fdw.kernels.graph.edge_featured_gat import StaticScorer
from ruattn_fdw.kernels.graph.gat import GatWeights
from ruattn_fdw.kernels.graph.neighbours import distinct_edges, softmax_by_centre
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.registry import find

GOLDEN = Path(__file__).parents[1] / "golden"
MECHANISM = find("edge_featured_gat")
WEIGHED = {"version": 2, "edge_column": "weight"}
NO_LOOPS = np.empty(0, np.intp)


def golden(version):
    with np.load(GOLDEN / f"edge_featured_gat_v{version}.npz") as file:
        return {key: file[key] for key in file.files}


def graph(width=None, n=12, count=40):
    """Features (n, 6) and distinct edges with positive weights, or with vectors of this width."""
    random = np.random.RandomState(2)
    centres, neighbours = random.randint(n, size=(2, count))
    shape = count if width is None else (count, width)
    edges = Edges(centres, neighbours, random.uniform(0.1, 3, shape))
    return random.standard_normal((n, 6)).astype(np.float32), distinct_edges(edges, NO_LOOPS)


def logits_of(options, features, edges, heads=3, temperature=1.0, mechanism=MECHANISM):
    scorer = mechanism.edges(features.shape[1], heads, temperature, parse_options(mechanism, options))
    return scorer(features, edges, uninterrupted)


def scorer_of(version, file):
    if version == 1:
        nodes = GatWeights(file["projection"], file["source_vector"], file["target_vector"])
        return StaticScorer(nodes, file["edge_projection"], file["edge_vector"], 0.2, 1.0)
    names = ("neighbour_projection", "centre_projection", "edge_projection", "attention")
    return DynamicScorer(DynamicWeights(*(file[name] for name in names)), 0.2, 1.0)


@pytest.mark.parametrize("version", [1, 2])
def test_the_weights_are_those_of_pytorch_geometric_loops_included(version):
    file = golden(version)
    given = len(file["given_features"])
    edges = Edges(file["target"][:given], file["source"][:given], file["given_features"])
    edges = distinct_edges(edges, np.arange(len(file["features"])))
    weights = softmax_by_centre(
        scorer_of(version, file)(file["features"], edges, uninterrupted), edges.centres
    )
    order = np.lexsort((file["source"], file["target"]))
    np.testing.assert_array_equal(edges.neighbours, file["source"][order])
    np.testing.assert_allclose(weights, file["weights"][order], rtol=1e-10)


@pytest.mark.parametrize("heads", [1, 4, 6])
@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_the_logarithm_of_the_weight_is_added_to_the_distance(heads, temperature):
    features, edges = graph()
    ends = list(zip(edges.centres, edges.neighbours, strict=True))
    expected = graph_twins.edge_featured_gat(features, ends, edges.attributes, heads, temperature)
    np.testing.assert_allclose(logits_of(WEIGHED, features, edges, heads, temperature), expected, rtol=1e-12)


def test_a_doubled_weight_doubles_the_share():
    features = np.zeros((3, 6), np.float32)
    edges = Edges(np.array([0, 0]), np.array([1, 2]), np.array([1.0, 2.0]))
    weights = softmax_by_centre(logits_of(WEIGHED, features, edges), edges.centres)
    np.testing.assert_allclose(weights, [[1 / 3] * 3, [2 / 3] * 3])


def test_weights_of_1_and_no_weights_are_gatv2():
    features, edges = graph()
    plain = Edges(edges.centres, edges.neighbours)
    ones = Edges(edges.centres, edges.neighbours, np.ones(len(edges)))
    expected = logits_of({}, features, plain, mechanism=find("gatv2"))
    np.testing.assert_array_equal(logits_of(WEIGHED, features, ones), expected)
    np.testing.assert_array_equal(logits_of({"version": 2}, features, plain), expected)


def test_features_of_0_are_gat():
    features, edges = graph(width=4)
    found = Edges(edges.centres, edges.neighbours, np.zeros_like(edges.attributes))
    seeded = {"init": "seeded", "seed": 5}
    expected = logits_of(seeded, features, found, mechanism=find("gat"))
    np.testing.assert_array_equal(logits_of({**seeded, "edge_column": "f"}, features, found), expected)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("width", [None, 4])
def test_seeded_weights_are_drawn_from_the_seed_and_see_the_edges(version, width):
    features, edges = graph(width)
    options = {"init": "seeded", "edge_column": "f", "version": version}
    first = logits_of({**options, "seed": 1}, features, edges)
    np.testing.assert_array_equal(logits_of({**options, "seed": 1}, features, edges), first)
    assert not np.allclose(logits_of({**options, "seed": 2}, features, edges), first)
    other = Edges(edges.centres, edges.neighbours, 2 * edges.attributes)
    assert not np.allclose(logits_of({**options, "seed": 1}, features, other), first)
    assert "untrained" in MECHANISM.remark(features, 3, parse_options(MECHANISM, options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "edge_featured_gat of version 1 needs trained weights, and none are given"),
        ({"edge_column": "w"}, "edge_featured_gat of version 1 needs trained weights"),
        ({"init": "seeded"}, "edge_featured_gat with untrained weights needs features of the edges"),
    ],
)
def test_what_is_missing_is_an_error_that_says_what_to_do(options, message):
    with pytest.raises(InvalidOption, match=message) as caught:
        logits_of(options, *graph())
    assert "edge_column" in caught.value.hint


def test_vectors_are_no_weights():
    with pytest.raises(InvalidOption, match="edge_column holds vectors of 4 dimensions") as caught:
        logits_of(WEIGHED, *graph(width=4))
    assert caught.value.hint


@pytest.mark.parametrize("weight", [0.0, -0.5])
def test_a_weight_that_is_not_positive_is_an_error_that_names_the_edge(weight):
    features, edges = graph()
    edges.attributes[7] = weight
    with pytest.raises(OutOfDomain, match=f"is {weight:g}, it must be greater than 0") as caught:
        logits_of(WEIGHED, features, edges)
    assert caught.value.row == 7


def test_numbers_of_parallel_edges_are_added_and_vectors_averaged():
    ends = np.array([1, 0, 1]), np.array([2, 2, 2])
    numbers = distinct_edges(Edges(*ends, np.array([1.0, 5.0, 3.0])), NO_LOOPS)
    np.testing.assert_array_equal(numbers.attributes, [5, 4])
    vectors = distinct_edges(Edges(*ends, np.array([[1.0, 0.0], [5.0, 5.0], [3.0, 4.0]])), NO_LOOPS)
    np.testing.assert_array_equal(vectors.attributes, [[5, 5], [2, 2]])


def test_a_loop_has_the_mean_of_its_centre_unless_it_has_its_own():
    edges = Edges(np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2]), np.array([1.0, 2.0, 7.0, 9.0]))
    found = distinct_edges(edges, np.array([0, 1, 2]))
    loops = found.take(found.centres == found.neighbours)
    np.testing.assert_array_equal(loops.centres, [0, 1, 2])
    np.testing.assert_array_equal(loops.attributes, [1.5, 7, 1])


def test_loops_of_vectors_are_means_too():
    edges = Edges(np.array([1, 1]), np.array([0, 2]), np.array([[1.0, 4.0], [3.0, 0.0]]))
    found = distinct_edges(edges, np.array([0, 1]))
    loops = found.take(found.centres == found.neighbours)
    np.testing.assert_array_equal(loops.attributes, [[0, 0], [2, 2]])


def test_checkpoint_is_called_between_blocks_of_edges():
    calls = []
    features, ends = np.zeros((2, 1000), np.float32), np.zeros(1000, np.intp)
    options = parse_options(MECHANISM, {"init": "seeded", "edge_column": "f", "version": 2})
    edges = Edges(ends, ends, np.ones(1000))
    MECHANISM.edges(1000, 4, 1.0, options)(features, edges, lambda: calls.append(1))
    assert len(calls) > 10
