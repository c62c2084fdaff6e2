"""Every SQL block of the documentation runs on the demo's data, and answers with rows where it is a query."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.cli.sample import load_sample, read_sample

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md"]


def sql_blocks(document: str) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def rows_of(cursor: psycopg.Cursor[Any]) -> list[int]:
    """Rows of each statement of a block that returns any."""
    counts = [cursor.rowcount] if cursor.description else []
    while cursor.nextset():
        counts += [cursor.rowcount] if cursor.description else []
    return counts


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_sql_block_answers(document: str, connect: Callable[..., psycopg.Connection[Any]]) -> None:
    db = connect()
    load_sample(db, read_sample(), lambda: None)
    blocks = sql_blocks(document)
    assert blocks
    for block in blocks:
        assert all(rows_of(db.execute(block.encode()))), block
