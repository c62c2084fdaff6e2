"""A layer of a real transformer: attention with its weights gives its self-attention."""

from pathlib import Path

import numpy as np
import pytest

from ruattn_fdw.cli.main import main

pytestmark = pytest.mark.bundled

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def words(db, server, database, capsys):
    """The words of a sentence as the layer sees them, with what it makes of them."""
    layer = str(GOLDEN / "minilm_layer.safetensors")
    uri = server.uri(database)
    assert (
        main(["weights", "load", layer, "--prefix", "encoder.layer.0", "--as", "minilm", "--uri", uri]) == 0
    )
    assert "stored minilm: 8 tensors, 2.4 MB" in capsys.readouterr().out
    with np.load(GOLDEN / "minilm_layer.npz") as file:
        hidden, output = file["hidden"], file["output"]
    db.execute("CREATE TABLE words (id int PRIMARY KEY, hidden real[])")
    rows = list(enumerate(hidden.tolist()))
    db.cursor().executemany("INSERT INTO words VALUES (%s, %s)", rows)
    return output


def test_the_output_is_the_layers(db, words):
    found = db.execute(
        "SELECT output FROM attention WHERE table_name = 'words' AND query_table = 'words'"
        " AND attention_type = 'multi_head' AND num_heads = 12 AND model = 'minilm'"
    ).fetchall()
    np.testing.assert_allclose([output for (output,) in found], words, rtol=0, atol=1e-5)
