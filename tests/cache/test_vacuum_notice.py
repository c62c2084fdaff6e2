"""Whoever has loaded much and not yet run VACUUM is told so once, when the copy is built."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2}' AND num_heads = 1 AND k = 1"


@pytest.fixture
def told(db: Connection) -> list[tuple[str | None, str | None]]:
    """Messages and hints that a session gets, of a server with 12,000 rows that were just loaded."""
    notices: list[tuple[str | None, str | None]] = []
    db.execute("CREATE TABLE docs (id int, v real[]) WITH (autovacuum_enabled = off)")
    db.execute("CREATE INDEX ON docs USING ruvector_attention (v) INCLUDE (id)")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 12000) i")
    db.add_notice_handler(lambda notice: notices.append((notice.message_primary, notice.message_hint)))
    return notices


def test_after_a_load(db: Connection, connect: Connect, told: list[tuple[str | None, str | None]]) -> None:
    for _ in range(2):
        db.execute(SEARCH)
    message = "every search of public.docs looks up 12000 rows, whose pages are not marked all-visible"
    assert told == [(message, "Run VACUUM public.docs.")]


def test_not_after_vacuum(db: Connection, told: list[tuple[str | None, str | None]]) -> None:
    # a page with rows of a commit that is not yet on disk is not marked
    db.execute("CHECKPOINT")
    db.execute("VACUUM docs")
    db.execute(SEARCH)
    assert told == []
