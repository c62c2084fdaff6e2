"""A block of Mamba: attention with its weights gives what the block does, searches its weights of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from safetensors.numpy import save_file

from ruattn_fdw.cli.main import main
from ruattn_fdw.server.server import Server

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]

GOLDEN = Path(__file__).parents[1] / "golden" / "mamba_block.npz"
OURS = ("hidden", "output", "weights")
BLOCK = "attention_type = 'mamba' AND model = 'block' AND order_column = 'place'"


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture
def db(
    db: Connection,
    server: Server,
    database: str,
    golden: dict[str, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Connection:
    """The block's inputs as rows, whose ids are not in their order, and its weights out of a checkpoint."""
    checkpoint = tmp_path / "model.safetensors"
    tensors = {name: array for name, array in golden.items() if name not in OURS}
    prefix = "backbone.layers.0"
    save_file({f"{prefix}.mixer.{name}": np.ascontiguousarray(t) for name, t in tensors.items()}, checkpoint)
    load = ("load", str(checkpoint), "--prefix", prefix, "--as", "block", "--uri", server.uri(database))
    assert main(["weights", *load]) == 0
    assert "stored block: 11 tensors" in capsys.readouterr().out
    db.execute("CREATE TABLE words (id int PRIMARY KEY, place int, hidden real[])")
    rows = [(100 - place, place, vector.tolist()) for place, vector in enumerate(golden["hidden"])]
    db.cursor().executemany("INSERT INTO words VALUES (%s, %s, %s)", rows)
    return db


def test_the_outputs_are_the_blocks(db: Connection, golden: dict[str, np.ndarray]) -> None:
    found = db.execute(
        "SELECT output, entropy, lse FROM attention WHERE table_name = 'words' AND query_table = 'words'"
        f" AND {BLOCK} ORDER BY query_id DESC".encode()
    ).fetchall()
    np.testing.assert_allclose([output for output, _, _ in found], golden["output"], rtol=0, atol=1e-5)
    assert {row[1:] for row in found} == {(None, None)}


def test_a_search_gives_the_weights_of_the_rows(db: Connection, golden: dict[str, np.ndarray]) -> None:
    search = f"SELECT 100 - id, score, logit FROM mha_search WHERE table_name = 'words' AND {BLOCK}"
    found = db.execute(f"{search} AND query_id = 38".encode()).fetchall()
    places = np.argsort(-golden["weights"], kind="stable")
    assert [place for place, _, _ in found] == places.tolist()
    np.testing.assert_allclose([score for _, score, _ in found], golden["weights"][places], atol=1e-6)
    assert all(score == logit for _, score, logit in found)
    # the same vector, from outside, stands where the newest row does
    vector = golden["hidden"][-1].tolist()
    assert db.execute(f"{search} AND query = %s::real[] AND k = 5".encode(), [vector]).fetchall() == found[:5]


def test_rows_after_the_query_do_not_count(db: Connection) -> None:
    search = (
        f"SELECT count(*) FILTER (WHERE logit IS NULL), count(*) FROM mha_search WHERE table_name = 'words'"
        f" AND {BLOCK} AND query_id = 90"
    )
    assert db.execute(search.encode()).fetchall() == [(52, 63)]


def test_explain_names_the_tensors(db: Connection) -> None:
    query = f"EXPLAIN SELECT id FROM mha_search WHERE table_name = 'words' AND {BLOCK} AND query_id = 38"
    lines = " ".join(line for (line,) in db.execute(query.encode()))
    assert "Projections: user (in_proj, conv1d, x_proj, dt_proj, A_log, " in lines
    assert "of model block" in lines


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        ("options = '{\"dt\": 1}'", "selective_ssm has no option 'dt'"),
        ("num_heads = 2", "num_heads is 2, selective_ssm takes whole vectors"),
        ("query = '{1,2}'", "query has 2 dimensions, words.hidden has 12"),
        ("vector_column = 'short'", "query has 12 dimensions, words.short has 2"),
    ],
)
def test_what_it_does_not_take(db: Connection, clauses: str, message: str) -> None:
    db.execute("ALTER TABLE words ADD short real[] DEFAULT '{1,2}'")
    query = "" if "query" in clauses else " AND query = array_fill(1::real, ARRAY[12])"
    column = "" if "vector" in clauses else " AND vector_column = 'hidden'"
    search = f"SELECT id FROM mha_search WHERE table_name = 'words' AND {BLOCK}{query}{column} AND {clauses}"
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.execute(search.encode())
    assert caught.value.diag.message_primary == message


def test_vectors_that_the_model_was_not_trained_on(db: Connection) -> None:
    db.execute("ALTER TABLE words ADD short real[] DEFAULT '{1,2}'")
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.execute(
            f"SELECT id FROM mha_search WHERE table_name = 'words' AND {BLOCK} AND vector_column = 'short'"
            " AND query = '{1,2}'".encode()
        )
    assert caught.value.diag.message_primary == "vectors have 2 dimensions, in_proj takes 12"


def test_values_of_another_column_are_refused(db: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="makes its own of the keys"):
        db.execute(
            f"SELECT output FROM attention WHERE table_name = 'words' AND query_table = 'words' AND {BLOCK}"
            " AND value_column = 'place'".encode()
        )
