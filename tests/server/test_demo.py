import io
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from rich.console import Console

import ruattn_fdw
from ruattn_fdw.cli import demo, sample
from ruattn_fdw.cli.main import main
from ruattn_fdw.server.installation import embedded
from ruattn_fdw.server.server import Server

EXAMPLES = Path(ruattn_fdw.__file__).parent / "examples"


@pytest.fixture
def shown(
    public_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Server, str]:
    """The server of a demo that has run twice, and what the second run printed."""
    monkeypatch.setenv("COLUMNS", "120")
    server = Server(public_folder / "data", embedded(18))
    for _ in range(2):
        assert main(["demo", "--data", str(server.data)]) == 0, capsys.readouterr().err
    return server, capsys.readouterr().out


def test_demo_answers_and_says_how_to_go_on(shown: tuple[Server, str]) -> None:
    server, printed = shown
    try:
        assert "medicine that kills bacteria" in printed
        assert "antibacterial" in printed
        assert printed.splitlines()[-1].endswith(f"server psql --data {server.data} demo")
        script = EXAMPLES / "semantic_search.sql"
        psql = [server.installation.program("psql"), "-v", "ON_ERROR_STOP=1", "-f", str(script)]
        done = subprocess.run(
            psql,
            env=server.environment() | {"PGDATABASE": demo.DATABASE},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("antibacterial") >= 3
    finally:
        server.stop()


@pytest.fixture
def loaded(db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A database with the sample in it."""
    sample.load_sample(db, sample.read_sample(), lambda: None)
    return db


def test_the_whole_sample_is_loaded(loaded: psycopg.Connection[Any]) -> None:
    content = sample.read_sample()
    [count] = loaded.execute(
        "SELECT count(*), count(DISTINCT id), min(array_length(embedding, 1)) FROM documents"
    )
    [stored] = loaded.execute("SELECT question, embedding FROM questions WHERE id = 6").fetchall()
    assert count == (4000, 4000, 384)
    assert stored[0] == content.questions[5][1]
    np.testing.assert_array_equal(np.array(stored[1], dtype=np.float32), content.question_embeddings[5])


def test_what_an_earlier_version_did_not_bring_is_loaded_row_by_row(loaded: psycopg.Connection[Any]) -> None:
    content, ticks = sample.read_sample(), []
    assert sample.missing_tables(loaded) == []
    loaded.execute("DROP TABLE edges")
    sample.load_sample(loaded, content, lambda: ticks.append(None))
    [stored] = loaded.execute("SELECT count(*) FROM edges").fetchall()
    assert len(ticks) == len(content.edges) == stored[0]


def test_the_question_is_answered_on_every_server(loaded: psycopg.Connection[Any]) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    demo.ask(loaded, sample.read_sample(), console)
    table = console.export_text().split("score", 2)[-1].split("┡")[-1].splitlines()
    scores = [float(found[0]) for line in table if (found := re.findall(r"0\.\d{4}", line))]
    assert "antibacterial" in table[1]
    assert len(scores) == 10
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.03
