"""After the server was killed, answers come from what it recovered, not from what was there before."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sessions import SETTINGS

from ruattn_fdw.server.server import Server
from tests.crashes import crash

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
PLACE = "SELECT pg_relation_filenode('docs'), ctid::text, xmin::text FROM docs WHERE id = 13"


def add(session: Connection, vector: str) -> list[Any]:
    """Insert a row with id 13 and give its place: file, position, transaction."""
    session.execute("INSERT INTO docs (id, vec) VALUES (13, %s::text::real[])", [vector])
    return session.execute(PLACE.encode()).fetchall()


def test_a_row_that_takes_the_place_of_one_that_was_lost(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree
) -> None:
    """File, length, position and transaction are those of the row that never reached the disk."""
    for _ in range(5):
        docs.execute("CHECKPOINT")
        lost = add(docs, "{1,2,3,4,5,6,7,8}")
        for session in (docs, connect()):
            assert agree(session) == [*ALL, 13]
        crash(own_server, SETTINGS)
        docs = connect()
        if agree(docs) == ALL:
            break
        # written to the disk in time by chance
        docs.execute("DELETE FROM docs WHERE id = 13")
    else:
        pytest.fail("no row was lost")
    assert add(docs, "{-8,7,-6,5,-4,3,-2,1}") == lost
    assert agree(docs) == agree(connect()) == [*ALL, 13]


def test_a_crash_while_rows_are_written(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree
) -> None:
    docs.execute("CHECKPOINT")
    for _ in range(3):
        writer, reader = connect(), connect()
        started = threading.Event()

        def write(session: Connection = writer, started: threading.Event = started) -> None:
            for number in range(100_000):
                try:
                    session.execute("INSERT INTO docs SELECT id + 100, 0, '', vec FROM docs WHERE id < 13")
                    session.execute("UPDATE docs SET vec[1] = vec[1] + 1 WHERE id % 3 = 0")
                except psycopg.OperationalError:
                    return
                if number == 5:
                    started.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert started.wait(10)
        agree(reader)
        crash(own_server, SETTINGS)
        thread.join()
        docs = connect()
        agree(docs)
        docs.execute("DELETE FROM docs WHERE id > 12")
        assert agree(docs) == ALL


def test_an_unlogged_table_is_empty_after_a_crash(
    own_server: Server, db: Connection, connect: Connect, agree: Agree
) -> None:
    db.execute(
        "CREATE UNLOGGED TABLE brief AS SELECT 1 AS id, 1 AS place, '{1,2,3,4,5,6,7,8}'::real[] AS vec"
    )
    db.execute("CHECKPOINT")
    for _ in range(2):
        assert agree(db, "brief") == [1]
    crash(own_server, SETTINGS)
    session = connect()
    assert agree(session, "brief") == []
    session.execute("INSERT INTO brief VALUES (2, 1, '{8,7,6,5,4,3,2,1}')")
    for _ in range(2):
        assert agree(session, "brief") == [2]


def test_a_prepared_transaction_outlives_a_crash(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree
) -> None:
    docs.execute("BEGIN; DELETE FROM docs WHERE id > 6; PREPARE TRANSACTION 'p'")
    crash(own_server, SETTINGS)
    session = connect()
    for _ in range(2):
        assert agree(session) == ALL
    session.execute("COMMIT PREPARED 'p'")
    assert agree(session) == ALL[:6]


def test_a_restart(own_server: Server, docs: Connection, connect: Connect, agree: Agree) -> None:
    docs.execute("UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
    assert agree(docs) == ALL
    own_server.stop()
    own_server.start(SETTINGS)
    session = connect()
    for _ in range(2):
        assert agree(session) == ALL
