"""Graph attention with learned weights: against PyTorch Geometric, over edges and over keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.kernels.errors import InvalidOption, InvalidShape, UnknownOption
from ruattn_fdw.kernels.graph.neighbours import distinct_edges, softmax_by_centre
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.trained import trained

GOLDEN = Path(__file__).parents[1] / "golden"
V1 = {
    "W": "projection",
    "a_src": "source_vector",
    "a_dst": "target_vector",
    "W_e": "edge_projection",
    "a_e": "edge_vector",
}
V2 = {"W_l": "neighbour_projection", "W_r": "centre_projection", "W_e": "edge_projection", "a": "attention"}


def load(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def layer(name):
    """(features, tensors of a set, what the layer gives)."""
    file = load("graph_layers")
    given = {key.removeprefix(f"{name}."): file[key] for key in file if key.startswith(f"{name}.")}

    def of_heads(weight):
        return given[weight].T.reshape(12, 4, 3).astype(np.float32)

    if name == "gat":
        tensors = {"W": of_heads("lin.weight"), "a_src": given["att_src"][0], "a_dst": given["att_dst"][0]}
    else:
        tensors = {"W_l": of_heads("lin_l.weight"), "W_r": of_heads("lin_r.weight"), "a": given["att"][0]}
        tensors |= {"b_l": given["lin_l.bias"], "b_r": given["lin_r.bias"]}
    tensors["b_o"] = given["bias"]
    return file, {key: tensor.astype(np.float32) for key, tensor in tensors.items()}


def weights_of(mechanism, features, edges, options):
    """Weights (n, n, H) by target and source."""
    edges = distinct_edges(edges, np.arange(len(features)))
    scorer = mechanism.edges(features.shape[1], mechanism.heads, 1.0, parse_options(mechanism, options))
    found = np.zeros((len(features), len(features), mechanism.heads))
    logits = scorer(features, edges, uninterrupted)
    found[edges.centres, edges.neighbours] = softmax_by_centre(logits, edges.centres)
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_edges_with_features_weigh_what_pytorch_geometric_says(version):
    file = load(f"edge_featured_gat_v{version}")
    tensors = {name: file[key].astype(np.float32) for name, key in (V1 if version == 1 else V2).items()}
    mechanism = trained(find("edge_featured_gat"), tensors)
    given = len(file["given_features"])
    edges = Edges(file["target"][:given], file["source"][:given], file["given_features"])
    found = weights_of(mechanism, file["features"], edges, {"edge_column": "f"})
    np.testing.assert_allclose(found[file["target"], file["source"]], file["weights"], rtol=1e-5)


@pytest.mark.parametrize("name", ["gat", "gatv2"])
def test_over_edges_and_over_keys_it_is_the_layer(name):
    file, tensors = layer(name)
    mechanism, features = trained(find(name), tensors), file["features"]
    edges = Edges(file[f"{name}_target"], file[f"{name}_source"])
    expected = np.empty((15, 15, 4))
    expected[edges.centres, edges.neighbours] = file[f"{name}_weights"]
    np.testing.assert_allclose(weights_of(mechanism, features, edges, {}), expected, rtol=1e-5)
    projections = mechanism.projections
    keys = features if projections.key is None else projections.key(features)
    queries = features if projections.query is None else projections.query(features)
    for node in range(len(features)):
        weights = attend(mechanism, queries[node], keys)
        np.testing.assert_allclose(weights.head_scores.T, expected[node], rtol=1e-5)


def test_what_does_not_go_together_is_named():
    _, tensors = layer("gat")
    mechanism = trained(find("gat"), tensors)
    with pytest.raises(InvalidShape, match="num_heads is 2, the weights are those of 4 heads"):
        attend(mechanism, np.ones(12, np.float32), np.ones((3, 12), np.float32), num_heads=2)
    with pytest.raises(InvalidShape, match="features have 8 dimensions, W of the model takes 12"):
        mechanism.edges(8, 4, 1.0, parse_options(mechanism, {}))
    with pytest.raises(UnknownOption, match="gat has no option 'init'"):
        parse_options(mechanism, {"init": "seeded"})
    with pytest.raises(InvalidShape, match=r"a_src has the shape \(3, 4\), W \(12, 4, 3\)"):
        trained(find("gat"), {**tensors, "a_src": tensors["a_src"].T})
    with pytest.raises(InvalidShape, match=r"b_o has the shape \(3,\), W \(12, 4, 3\)"):
        trained(find("gat"), {**tensors, "b_o": tensors["b_o"][:3]})
    with pytest.raises(InvalidOption, match="gatv2 needs W_l, a, the tensors are W, a_dst, a_src, b_o"):
        trained(find("gatv2"), tensors)


def test_edges_of_another_width_are_refused():
    file = load("edge_featured_gat_v1")
    tensors = {name: file[key].astype(np.float32) for name, key in V1.items()}
    mechanism, features = trained(find("edge_featured_gat"), tensors), file["features"]
    edges = Edges(np.array([0]), np.array([1]), np.ones((1, 2)))
    with pytest.raises(InvalidShape, match="edge_column has 2 numbers, W_e of the model takes 4"):
        weights_of(mechanism, features, edges, {"edge_column": "f"})
    with pytest.raises(InvalidOption, match="needs features of the edges"):
        weights_of(mechanism, features, edges, {})
    with pytest.raises(InvalidOption, match="edge_featured_gat needs a_e"):
        trained(find("edge_featured_gat"), {name: t for name, t in tensors.items() if name != "a_e"})
