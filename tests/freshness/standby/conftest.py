"""A hot standby of the server of its own, and one table for each kind of attention index."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from primaries import primary_of
from sessions import STANDBY
from tables import DOCS, TABLES

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Agree = Callable[..., list[int]]

WAIT = 20


@pytest.fixture(scope="session")
def own_server(server: Server) -> Iterator[Server]:
    """A primary that no other test crashes: a standby would not find back what it had been sent."""
    with primary_of(server) as running:
        yield running


@pytest.fixture
def agreed(agree: Agree) -> Agree:
    """Searches all tables as `agree` does, asserts that they hold the same ids, and gives these."""

    def compare(session: Connection) -> list[int]:
        found = {table: agree(session, table) for table in TABLES.names}
        assert all(ids == found["plain"] for ids in found.values()), found
        return found["plain"]

    return compare


@pytest.fixture
def tables(db: Connection) -> Connection:
    """A session of the primary with the tables, 12 rows of 8 dimensions each."""
    TABLES.run(db, DOCS)
    TABLES.index(db)
    TABLES.run(db, "VACUUM docs")
    return db


StandbyOf = Callable[..., Server]


@pytest.fixture(scope="session")
def standby_of() -> Iterator[StandbyOf]:
    """Makes a standby of a server, with further settings, and starts it."""
    made: list[Server] = []

    def make(primary: Server, **settings: str) -> Server:
        # by the comma its socket lies elsewhere: pg_rewind would copy it
        copy = Server(Path(tempfile.mkdtemp(prefix="ruattn-test,")), primary.installation, primary.variables)
        shutil.rmtree(copy.data)
        command = [primary.installation.program("pg_basebackup"), "-D", str(copy.data), "-d", primary.uri()]
        command += ["-R", "-c", "fast", "--no-sync"]
        done = primary.account.run(
            command, cwd=primary.data.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, done.stdout
        made.append(copy)
        copy.start({**STANDBY, **settings})
        return copy

    yield make
    for copy in reversed(made):
        copy.stop()
        log = copy.log.read_text(errors="replace")
        shutil.rmtree(copy.data, ignore_errors=True)
        assert "PANIC" not in log
        assert "terminated by signal" not in log


@pytest.fixture(scope="session")
def standby(own_server: Server, standby_of: StandbyOf) -> Server:
    """A standby of the server of its own, for all tests that leave it one."""
    return standby_of(own_server)


Caught = Callable[[Connection, Connection], None]


@pytest.fixture(scope="session")
def catch_up() -> Caught:
    """Waits until the standby of the second session has replayed all that the primary of the first wrote."""

    def wait(primary: Connection, replica: Connection) -> None:
        position = primary.execute("SELECT pg_current_wal_insert_lsn()").fetchall()[0][0]
        # an asynchronous commit is not sent before it is flushed
        primary.execute("SET synchronous_commit = on")
        primary.execute("SELECT pg_logical_emit_message(true, '', '')")
        primary.execute("RESET synchronous_commit")
        replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        deadline = time.monotonic() + WAIT
        while not replica.execute(replayed, [position]).fetchall()[0][0]:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    return wait


Replica = Callable[[], Connection]


@pytest.fixture
def replica(
    standby: Server, database: str, connect: Callable[..., Connection], catch_up: Caught
) -> Iterator[Replica]:
    """Opens a session on the standby, once it has replayed all that the primary has written."""
    opened: list[Connection] = []
    primary = connect()

    def open_session() -> Connection:
        with psycopg.connect(standby.uri(), autocommit=True) as watch:
            catch_up(primary, watch)
        opened.append(psycopg.connect(standby.uri(database), autocommit=True))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def replay(replica: Replica) -> Callable[[], None]:
    """Waits until the standby has replayed all."""
    return lambda: replica().close()


Begin = Callable[[Connection, str, str], "Future[list[Any]]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins a statement in a session, and comes back once it has locked a table; the rows to come."""
    with ThreadPoolExecutor(1) as pool:

        def run(session: Connection, statement: str, table: str) -> Future[list[Any]]:
            locked = "SELECT FROM pg_locks WHERE pid = %s AND relation = %s::regclass"
            rows = pool.submit(lambda: session.execute(statement.encode()).fetchall())
            with psycopg.connect(session.info.dsn, autocommit=True) as watch:
                while not watch.execute(locked, [session.info.backend_pid, table]).rowcount:
                    assert not rows.done()
                    time.sleep(0.005)
            return rows

        yield run


@pytest.fixture
def feedback(standby: Server, own_server: Server) -> Iterator[None]:
    """The primary keeps what snapshots of the standby see."""
    with (
        psycopg.connect(standby.uri(), autocommit=True) as session,
        psycopg.connect(own_server.uri(), autocommit=True) as primary,
    ):

        def is_given() -> bool:
            rows = primary.execute("SELECT backend_xmin FROM pg_stat_replication").fetchall()
            return any(row[0] is not None for row in rows)

        for value in ("on", "off"):
            session.execute(f"ALTER SYSTEM SET hot_standby_feedback = {value}".encode())
            session.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + WAIT
            while is_given() != (value == "on"):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            if value == "on":
                yield
