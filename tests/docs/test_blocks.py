"""Every SQL block of the documentation runs on the demo's data, in order; a query answers with rows.

A block marked `sql error` fails, with the error and the hint that its comments show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
# the page on shards needs several servers: tests/shards/test_page.py
PAGES = [page for page in (ROOT / "docs").rglob("*.md") if page.name != "shards.md"]
DOCUMENTS = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in PAGES)]
BLOCK = re.compile(r"^```sql( error)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sql_blocks(document: str) -> Iterator[tuple[bool, str]]:
    """(must it fail, the block)."""
    for block in BLOCK.finditer((ROOT / document).read_text()):
        yield block[1] is not None, block[2]


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
def test_every_sql_block_answers(document: str, db: psycopg.Connection[Any]) -> None:
    if "FROM neural_rerank" in (ROOT / document).read_text():
        pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
    for fails, block in sql_blocks(document):
        if fails:
            check_error(db, block)
        else:
            assert all(rows_of(db.execute(block.encode()))), block
