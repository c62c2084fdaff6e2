"""Every example runs on the demo's data, and each of its queries answers with rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruattn_fdw.examples import client

import ruattn_fdw
from ruattn_fdw.server.server import Server

FOLDER = Path(ruattn_fdw.__file__).parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.sql"))
WITH_PGVECTOR = [
    example for example in EXAMPLES if "CREATE EXTENSION IF NOT EXISTS vector" in example.read_text()
]


def check(db: psycopg.Connection[Any], example: Path) -> None:
    """Run an example, and again: it leaves nothing behind that would be in its way."""
    if example.stem == "neural_rerank":
        pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
    for _ in range(2):
        cursor = db.execute(example.read_text().encode())
        counts = [cursor.rowcount]
        while cursor.nextset():
            counts.append(cursor.rowcount)
        assert len(counts) >= 2
        assert all(counts)
        db.execute("DISCARD TEMP")


@pytest.mark.parametrize("example", sorted({*EXAMPLES} - {*WITH_PGVECTOR}), ids=lambda path: path.stem)
def test_every_query_of_an_example_answers(example: Path, db: psycopg.Connection[Any]) -> None:
    check(db, example)


@pytest.mark.parametrize("example", WITH_PGVECTOR, ids=lambda path: path.stem)
def test_every_query_of_an_example_with_pgvector_answers(
    example: Path, pgvector: None, db: psycopg.Connection[Any]
) -> None:
    check(db, example)


def test_the_client_finds_a_cook_and_agrees_with_numpy(
    db: psycopg.Connection[Any], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    client.main(server.uri(), db.info.dbname)
    lines = capsys.readouterr().out.splitlines()
    assert lines[7].endswith("  cook")
    score, again = re.findall(r"\d\.\d{6}", lines[-1])
    assert float(again) == pytest.approx(float(score), abs=2e-6)


def test_every_example_is_listed() -> None:
    listed = (Path(__file__).parents[2] / "examples" / "README.md").read_text()
    assert EXAMPLES
    assert [
        example.name for example in [*EXAMPLES, FOLDER / "client.py"] if f"`{example.name}`" not in listed
    ] == []
