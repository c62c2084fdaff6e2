"""Every SQL example runs on the demo's data, and each of its queries answers with rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import ruattn_fdw
from ruattn_fdw.cli.sample import load_sample, read_sample

EXAMPLES = sorted((Path(ruattn_fdw.__file__).parent / "examples").glob("*.sql"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_query_of_an_example_answers(
    example: Path, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    db = connect()
    load_sample(db, read_sample(), lambda: None)
    cursor = db.execute(example.read_text().encode())
    counts = [cursor.rowcount]
    while cursor.nextset():
        counts.append(cursor.rowcount)
    assert len(counts) >= 2
    assert all(counts)


def test_every_example_is_listed() -> None:
    listed = (Path(__file__).parents[2] / "examples" / "README.md").read_text()
    assert EXAMPLES
    assert [example.name for example in EXAMPLES if f"`{example.name}`" not in listed] == []
