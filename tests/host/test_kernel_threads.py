"""With several threads a search gives the same answer, can be canceled, and leaves no thread behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = 'big' AND query_id = 1 AND num_heads = 2 AND k = 10"
)


@pytest.fixture
def session(big: str) -> Any:
    with psycopg.connect(big, autocommit=True) as connection:
        yield connection


def threads_of(session: Connection) -> int:
    return len(list(Path(f"/proc/{session.info.backend_pid}/task").iterdir()))


def test_the_answer_is_the_same_and_the_threads_are_gone(session: Connection) -> None:
    alone = session.execute(SEARCH).fetchall()
    before = threads_of(session)
    session.execute("SET ruattn_fdw.threads = 4")
    assert session.execute(SEARCH).fetchall() == alone
    session.execute("SET ruattn_fdw.threads = 1")
    session.execute(SEARCH)
    assert threads_of(session) <= before + 3  # BLAS keeps its own


def test_a_user_who_asks_for_many_threads_gets_one_for_each_processor(session: Connection) -> None:
    session.execute("SET ruattn_fdw.threads = 256")
    session.execute(SEARCH)
    assert threads_of(session) < 2 * len(os.sched_getaffinity(0)) + 2


def test_a_session_outlives_timeouts_at_any_moment_of_its_threads(session: Connection) -> None:
    session.execute("SET ruattn_fdw.threads = 4")
    wanted = session.execute(SEARCH).fetchall()
    canceled = 0
    for milliseconds in range(1, 40):
        session.execute(f"SET statement_timeout = {milliseconds}".encode())
        try:
            assert session.execute(SEARCH).fetchall() == wanted
        except psycopg.errors.QueryCanceled:
            canceled += 1
    session.execute("SET statement_timeout = 0")
    assert canceled
    assert session.execute(SEARCH).fetchall() == wanted
