"""Sessions that insert at once, and one that vacuums meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from .conftest import problems, stats

Connection = psycopg.Connection[Any]
SESSIONS = 8


def test_eight_inserters_lose_nothing(db: Connection, connect: Callable[..., Connection]) -> None:
    db.execute("CREATE TABLE documents (id int, embedding real[])")
    db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")
    sessions = [connect() for _ in range(SESSIONS)]
    in_bulk = "INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 3000) i"

    def insert(session: Connection) -> None:
        for number in range(100):
            session.execute("INSERT INTO documents VALUES (%s, '{1,2}')", (number,))
        session.execute(in_bulk)

    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(insert, sessions))
    found = stats(db)
    assert found.entries == SESSIONS * 3100
    # at most eight pages are not full: 1,360 entries a page, and the metapage
    assert found.blocks <= SESSIONS * 3100 // 1360 + 1 + 8
    assert problems(db) == []


def test_one_inserter_fills_one_page_after_the_other(db: Connection) -> None:
    db.execute("CREATE TABLE documents (id int, embedding real[])")
    db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")
    for _ in range(20):
        db.execute("INSERT INTO documents VALUES (1, '{1,2}')")
    assert stats(db).blocks == 2
    db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 13600) i")
    assert stats(db).blocks == 12


def test_vacuum_and_checks_amid_updates(documents: Connection, connect: Callable[..., Connection]) -> None:
    writers = [connect() for _ in range(4)]

    def write(number: int) -> None:
        for turn in range(150):
            writers[number].execute(
                "UPDATE documents SET embedding = ARRAY[%s] WHERE id %% 40 = %s",
                (turn, turn % 10 * 4 + number),
            )

    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(write, number) for number in range(len(writers))]
        while not all(future.done() for future in running):
            documents.execute("VACUUM documents")
            assert problems(documents) == []
        for future in running:
            future.result()
    documents.execute("VACUUM documents")
    found = stats(documents)
    assert found.entries - found.dead == 3000
    assert problems(documents) == []


def test_the_table_is_dropped_while_an_index_is_asked_for(
    db: Connection, connect: Callable[..., Connection]
) -> None:
    asking = [connect() for _ in range(2)]
    done = False

    def ask(session: Connection) -> None:
        while not done:
            # a lost connection is none of these
            with contextlib.suppress(psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.InternalError):
                session.execute("SELECT ruvector_create_attention_index('short', 'v')")

    with ThreadPoolExecutor(len(asking)) as pool:
        running = [pool.submit(ask, session) for session in asking]
        try:
            for _ in range(500):
                db.execute("CREATE TABLE short (v real[])")
                db.execute("DROP TABLE short")
        finally:
            done = True
        for future in running:
            future.result()


@pytest.mark.parametrize("function", ["ruvector_attention_index_stats", "ruvector_attention_index_check"])
def test_an_index_is_asked_about_that_is_still_being_made(
    db: Connection, connect: Callable[..., Connection], function: str
) -> None:
    asking = connect()
    db.execute("CREATE TABLE documents (embedding real[])")
    with ThreadPoolExecutor(1) as pool:
        with db.transaction():
            db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")
            found = db.execute("SELECT 'attn'::regclass::oid").fetchall()[0]
            asked = pool.submit(asking.execute, f"SELECT * FROM {function}(%s)".encode(), found)
            while not db.execute(
                "SELECT FROM pg_locks WHERE pid = %s AND NOT granted", (asking.info.backend_pid,)
            ).rowcount:
                assert not asked.done()
        with pytest.raises(psycopg.errors.UndefinedObject, match="there is no index with OID"):
            asked.result()
