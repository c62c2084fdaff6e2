"""A standby that was stopped or killed answers from what it has replayed since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sessions import STANDBY
from tables import TABLES

from ruattn_fdw.server.server import Server
from tests.crashes import crash

Connection = psycopg.Connection[Any]
Replica = Callable[[], Connection]
Agree = Callable[[Connection], list[int]]

ALL = list(range(1, 13))
SUBTRANSACTIONS = 70
"""More than a snapshot lists."""


def restart(standby: Server) -> None:
    standby.stop()
    standby.start(STANDBY)


@pytest.mark.parametrize("end", [restart, lambda standby: crash(standby, STANDBY)], ids=["stop", "kill"])
def test_a_standby_that_comes_back(
    tables: Connection, standby: Server, replica: Replica, agreed: Agree, end: Callable[[Server], None]
) -> None:
    assert agreed(replica()) == ALL
    TABLES.run(tables, "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
    assert agreed(replica()) == ALL
    tables.execute("BEGIN")
    TABLES.run(tables, "DELETE FROM docs WHERE id > 9")
    tables.execute("PREPARE TRANSACTION 'p'")
    end(standby)
    TABLES.run(tables, "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id < 3")
    session = replica()
    for _ in range(2):
        assert agreed(session) == [*ALL, 21, 22]
    tables.execute("COMMIT PREPARED 'p'")
    assert agreed(replica()) == agreed(session) == [*ALL[:9], 21, 22]


@pytest.fixture
def writer(tables: Connection, connect: Callable[..., Connection]) -> Iterator[Connection]:
    """A transaction of the primary with more subtransactions than a snapshot lists."""
    session = connect()
    session.execute("BEGIN")
    for number in range(SUBTRANSACTIONS):
        session.execute("SAVEPOINT s")
        TABLES.run(session, f"INSERT INTO docs SELECT 100 + {number}, 0, '', vec FROM docs WHERE id = 1")
    yield session
    session.rollback()


def state(server: Server) -> str:
    """What the server says to a new session; nothing where it lets it in."""
    try:
        psycopg.connect(server.uri()).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def test_a_standby_that_starts_while_a_snapshot_is_incomplete(
    tables: Connection, writer: Connection, standby: Server, replica: Replica, agreed: Agree
) -> None:
    """It lets nobody in until it knows which subtransactions run, and then sees them whole."""
    tables.execute("CHECKPOINT")
    # from where the standby begins anew
    replica()
    standby.stop()
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(standby.start, STANDBY)
        try:
            while "not yet accepting connections" not in (said := state(standby)):
                assert said, "it let a session in"
                assert not started.done()
                time.sleep(0.01)
        finally:
            writer.execute("ROLLBACK TO s")
            writer.execute("COMMIT")
            tables.execute("CHECKPOINT")
        started.result()
    session = replica()
    for _ in range(2):
        assert agreed(session) == [*ALL, *range(100, 100 + SUBTRANSACTIONS - 1)]
