"""A session that meets every feature once gets the same answers whatever the server forgets meanwhile.

A server built with assertions can be told to throw away all that it has cached at every occasion; what the
host keeps of those caches for too long is then memory that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ruattn_fdw.server.server import Server

Answers = Callable[[str], list[tuple[str, object]]]
SCRIPT = re.split(r"\n\n+", (Path(__file__).parent / "regression.sql").read_text().strip())


def answer(session: Connection[Any], statement: str) -> object:
    """The rows of a statement, or what it says: an error where it is marked so, and only there."""
    if statement.startswith("-- fails"):
        with pytest.raises(psycopg.Error) as caught:
            session.execute(statement.encode(), prepare=False)
        return caught.value.sqlstate, caught.value.diag.message_primary
    cursor = session.execute(statement.encode(), prepare=False)
    return cursor.fetchall() if cursor.description else cursor.statusmessage


@pytest.fixture
def answers(server: Server, drop_database: Callable[..., None]) -> Answers:
    """Runs the script in a database of its own, after one other statement: each statement and its answer."""

    def run(setting: str) -> list[tuple[str, object]]:
        with psycopg.connect(server.uri(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE regression TEMPLATE ruattn_template")
            try:
                with psycopg.connect(server.uri("regression"), autocommit=True) as session:
                    session.execute(setting.encode())
                    return [(statement, answer(session, statement)) for statement in SCRIPT]
            finally:
                drop_database(admin, "regression")

    return run


def test_every_feature_once(answers: Answers) -> None:
    assert len(answers("SELECT 1")) == len(SCRIPT)


@pytest.mark.slow
def test_every_feature_with_caches_thrown_away(assertions: None, answers: Answers) -> None:
    assert answers("SET debug_discard_caches = 1") == answers("SELECT 1")
