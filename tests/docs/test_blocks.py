"""Every block of the documentation runs, in order, on the demo's data: queries have rows, commands succeed.

A block marked `sql error` fails, with the error and the hint that its comments show. Commands are run by
shell.py, which says what stands in for what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.docs.shell import Shell, lines_of, program_of

ROOT = Path(__file__).parents[2]
# the page on shards needs several servers: tests/shards/test_page.py
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name != "shards.md")
DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"),
    *(str(page.relative_to(ROOT)) for page in PAGES),
]
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "CONTRIBUTING.md": {"": "a list of folders", "python": "test_worked_example.py"},
    "README.md": {
        "docker": "tests/container/test_documented_lines.py",
        "sql pgvector": "where the server has pgvector, below",
    },
    "docs/container.md": {
        "docker": "tests/container/test_documented_lines.py",
        "dockerfile": "an image of the reader's, with models of his",
    },
    "docs/multicorn.md": {"text": "about another host's server, in its configuration"},
    **{document: {"math": "a formula"} for document in DOCUMENTS if "/mechanisms/" in document},
}
"""Kinds of blocks that do not run here, and why."""


def blocks_of(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each block, which is docker where no line needs anything else, and the block."""
    for _, kind, block in BLOCK.findall(text):
        only_docker = kind == "sh" and {program_of(line) for line in lines_of(block)} == {"docker"}
        yield "docker" if only_docker else kind, block


def rows_of(cursor: psycopg.Cursor[Any]) -> list[int]:
    """Rows of each statement of a block that returns any."""
    counts = [cursor.rowcount] if cursor.description else []
    while cursor.nextset():
        counts += [cursor.rowcount] if cursor.description else []
    return counts


def check_error(db: psycopg.Connection[Any], block: str) -> None:
    """The block fails, and the comments at its end are what the server says."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(block.encode())
    said = {"ERROR": caught.value.diag.message_primary, "HINT": caught.value.diag.message_hint}
    shown = re.findall(r"^-- (ERROR|HINT):  (.*)$", block, re.MULTILINE)
    assert shown, block
    assert {kind: said[kind] for kind, _ in shown} == dict(shown), block


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_answers(document: str, db: psycopg.Connection[Any], shell: Shell) -> None:
    text = (ROOT / document).read_text()
    if "FROM neural_rerank" in text:
        pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
    for kind, block in blocks_of(text):
        if kind == "sh":
            shell.run(block)
        elif kind == "sql error":
            check_error(db, block)
        elif kind == "sql":
            assert all(rows_of(db.execute(block.encode()))), block
        else:
            assert kind in ELSEWHERE.get(document, {}), f"nothing runs this:\n{block}"


def test_blocks_with_pgvector_answer(pgvector: None, db: psycopg.Connection[Any]) -> None:
    blocks = [block for kind, block in blocks_of((ROOT / "README.md").read_text()) if kind == "sql pgvector"]
    assert blocks
    for block in blocks:
        assert all(rows_of(db.execute(block.encode())) or [0]), block
