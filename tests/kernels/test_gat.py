"""Scores of edges: against PyTorch Geometric, and what is particular to each mechanism."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_twins import TWINS
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape
from ruattn_fdw.kernels.graph.gat import GatScorer, GatWeights, glorot
from ruattn_fdw.kernels.graph.neighbours import distinct_edges, softmax_by_centre
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.registry import find

GOLDEN = Path(__file__).parents[1] / "golden"
GAT, GATV2 = find("gat"), find("gatv2")


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def weights_of(scorer, features, edges):
    """Weights (E, H) of edges given as (centre, neighbour)."""
    centres, neighbours = np.array(edges).T
    order = np.argsort(centres, kind="stable")
    logits = scorer(features, Edges(centres[order], neighbours[order]), uninterrupted)
    weights = np.empty_like(logits)
    weights[order] = softmax_by_centre(logits, centres[order])
    return weights


def edges_of(file):
    """PyTorch Geometric normalises over the sources of each target."""
    return list(zip(file["target"].tolist(), file["source"].tolist(), strict=True))


def gat_weights(file):
    return GatWeights(file["projection"], file["source_vector"], file["target_vector"])


def test_gatv2_with_metric_weights_is_that_of_pytorch_geometric():
    file = golden("gatv2")
    scorer = GATV2.edges(file["features"].shape[1], file["weights"].shape[1], 1.0, {})
    weights = weights_of(scorer, file["features"], edges_of(file))
    np.testing.assert_allclose(weights, file["weights"], rtol=1e-12)


def test_gat_is_that_of_pytorch_geometric():
    file = golden("gat")
    weights = weights_of(GatScorer(gat_weights(file), 0.2, 1.0), file["features"], edges_of(file))
    np.testing.assert_allclose(weights, file["weights"], rtol=1e-12)


@pytest.mark.parametrize("heads", [1, 3, 4, 10])
@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_gatv2_agrees_with_its_twin_whatever_the_slices(heads, temperature):
    file = golden("gatv2")
    edges = edges_of(file)
    weights = weights_of(GATV2.edges(10, heads, temperature, {}), file["features"], edges)
    np.testing.assert_allclose(
        weights, TWINS["gatv2"](file["features"], edges, heads, temperature), rtol=1e-12
    )


def test_gat_agrees_with_its_twin_under_temperature_and_slope():
    file = golden("gat")
    edges = edges_of(file)
    weights = weights_of(GatScorer(gat_weights(file), 0.4, 0.5), file["features"], edges)
    tensors = file["projection"], file["source_vector"], file["target_vector"]
    np.testing.assert_allclose(weights, TWINS["gat"](file["features"], edges, *tensors, 0.4, 0.5), rtol=1e-12)


def test_more_heads_than_dimensions_are_an_error():
    with pytest.raises(InvalidShape, match="num_heads is 11, the features have 10 dimensions"):
        GATV2.edges(10, 11, 1.0, {})


def test_gat_without_weights_is_an_error_that_says_what_to_do():
    with pytest.raises(InvalidOption, match="gat needs trained weights, and none are given") as caught:
        GAT.edges(10, 2, 1.0, parse_options(GAT, {}))
    assert '{"init": "seeded"}' in caught.value.hint


def test_seeded_weights_are_drawn_from_the_seed_and_said_to_be_untrained():
    features, edges = golden("gat")["features"], edges_of(golden("gat"))

    def drawn(seed):
        return weights_of(
            GAT.edges(10, 4, 1.0, parse_options(GAT, {"init": "seeded", "seed": seed})), features, edges
        )

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert not np.allclose(drawn(1), drawn(2))
    assert "untrained" in GAT.remark(features, 4, parse_options(GAT, {"init": "seeded"}))


def test_uniform_weights_are_the_mean_of_the_neighbours():
    file = golden("gat")
    edges = edges_of(file)
    weights = weights_of(
        GAT.edges(10, 4, 1.0, parse_options(GAT, {"init": "uniform"})), file["features"], edges
    )
    degree = np.bincount(file["target"])
    np.testing.assert_allclose(weights, np.repeat(1 / degree[file["target"]][:, None], 4, axis=1))
    assert GAT.remark(file["features"], 4, parse_options(GAT, {"init": "uniform"})) is None


def test_gat_ranks_neighbours_alike_for_every_centre_and_gatv2_does_not():
    features = np.random.RandomState(3).standard_normal((12, 6)).astype(np.float32)
    edges = [(centre, neighbour) for centre in range(12) for neighbour in range(12)]
    static = weights_of(GatScorer(glorot(6, 1, 0), 0.2, 1.0), features, edges).reshape(12, 12)
    assert len(np.unique(np.argsort(static, axis=1), axis=0)) == 1
    dynamic = weights_of(GATV2.edges(6, 1, 1.0, {}), features, edges).reshape(12, 12)
    np.testing.assert_array_equal(dynamic.argmax(axis=1), np.arange(12))


def test_edges_are_distinct_and_in_order():
    given = Edges(np.array([2, 0, 2, 2]), np.array([1, 1, 1, 2]))
    found = distinct_edges(given, np.array([0, 2]))
    assert list(zip(found.centres, found.neighbours, strict=True)) == [(0, 0), (0, 1), (2, 1), (2, 2)]
    assert found.attributes is None


def test_the_softmax_of_no_edges_is_nothing():
    assert softmax_by_centre(np.empty((0, 3)), np.empty(0, np.intp)).shape == (0, 3)


def test_far_nodes_do_not_underflow_into_nan():
    features = np.array([[0.0], [1e6], [1e6 + 1]], np.float32)
    weights = weights_of(GATV2.edges(1, 1, 1.0, {}), features, [(0, 1), (0, 2)])
    np.testing.assert_allclose(weights[:, 0], [1 / (1 + np.exp(-1)), 1 / (1 + np.e)])


def test_checkpoint_is_called_between_blocks_of_edges():
    features, calls = np.zeros((2, 1000), np.float32), []
    ends = np.zeros(1000, np.intp)
    GATV2.edges(1000, 4, 1.0, {})(features, Edges(ends, ends), lambda: calls.append(1))
    assert len(calls) > 10
