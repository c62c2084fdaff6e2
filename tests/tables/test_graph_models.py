"""Graph attention with a model: layers of PyTorch Geometric, loaded by the command line."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ruattn_fdw.cli.main import main

pytestmark = pytest.mark.bundled

GOLDEN = Path(__file__).parents[1] / "golden" / "graph_layers.npz"
EVERYWHERE = "INSERT INTO links SELECT a, b FROM generate_series(0, 14) a, generate_series(0, 14) b"
SEARCH = "FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links' AND query_node_id = 2"
ATTENTION = "SELECT output FROM attention WHERE table_name = 'nodes' AND query_table = 'nodes'"


@pytest.fixture(scope="module")
def layers():
    with np.load(GOLDEN) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def graph(documents, layers, server, tmp_path):
    """Nodes with edges between all of them, and the models gat and gatv2."""
    documents.execute("CREATE TABLE nodes (id int PRIMARY KEY, features real[])")
    documents.execute("CREATE TABLE links (source int, target int)")
    rows = list(enumerate(layers["features"].tolist()))
    documents.cursor().executemany("INSERT INTO nodes VALUES (%s, %s)", rows)
    documents.execute(EVERYWHERE)
    return documents


@pytest.fixture(scope="module")
def models(documents_database, layers, server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    for name in ("gat", "gatv2"):
        of_layer = {key: a.astype(np.float32) for key, a in layers.items() if key.startswith(f"{name}.")}
        save_file({key: np.ascontiguousarray(array) for key, array in of_layer.items()}, folder / name)
        target = ["--as", f"my {name}", "--uri", server.uri("documents")]
        assert main(["weights", "load", str(folder / name), "--prefix", name, *target]) == 0


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("name", ["gat", "gatv2"])
def test_a_search_weighs_as_the_layer_does(graph, rows, layers, name):
    found = rows(
        f"SELECT node_id, head_scores, attention_score {SEARCH} AND attention_type = %s AND model = %s"
        " AND direction = 'in' ORDER BY node_id",
        name,
        f"my {name}",
    )
    of_node = layers[f"{name}_target"] == 2
    order = np.argsort(layers[f"{name}_source"][of_node])
    expected = layers[f"{name}_weights"][of_node][order]
    assert [row[0] for row in found] == list(range(15))
    np.testing.assert_allclose([row[1] for row in found], expected, rtol=1e-5)
    np.testing.assert_allclose([row[2] for row in found], expected.mean(axis=1), rtol=1e-5)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("name", ["gat", "gatv2"])
def test_attention_gives_the_output_of_the_layer(graph, rows, layers, name):
    found = rows(f"{ATTENTION} AND attention_type = %s AND model = %s", name, f"my {name}")
    np.testing.assert_allclose([row[0] for row in found], layers[f"{name}_output"], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("graph", "models")
def test_explain_says_that_the_weights_are_the_users(plan):
    shown = plan(f"SELECT node_id {SEARCH} AND model = 'my gatv2'")
    assert "Weights: user (W_l, a, W_r, b_l, b_r, b_o) of model my gatv2" in shown
    assert "num_heads = 4" in shown
    assert "Weights: metric" in plan(f"SELECT node_id {SEARCH}")


@pytest.mark.usefixtures("graph", "models")
def test_a_model_for_another_mechanism_is_an_error(failure):
    said = failure(f"SELECT node_id {SEARCH} AND model = 'my gat'")
    assert said.message_primary == 'model "my gat": gatv2 needs W_l, a, the tensors are W, a_dst, a_src, b_o'
    assert said.message_hint == "A set for it has W_l, a."
    said = failure(f"SELECT node_id {SEARCH} AND model = 'my gatv2' AND num_heads = 2")
    assert said.message_primary == "num_heads is 2, the weights are those of 4 heads"
