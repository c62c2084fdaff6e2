"""A search that finds nothing warm can be interrupted at any moment, also while another session builds."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]

# a machine that runs other tests at the same time may be late, 100 ms is what it takes alone
LATEST = 0.5
ROWS = 400_000
SEARCH = "SELECT count(*) FROM mha_search WHERE table_name = 'big' AND query_id = 1 AND num_heads = 1"


@pytest.fixture
def start(big: str, server: Server) -> Iterator[Callable[[], Connection]]:
    """Starts a session whose interpreter runs and which has a file to build: nothing is warm any more."""
    opened: list[Connection] = []

    def session() -> Connection:
        opened.append(psycopg.connect(big, autocommit=True))
        opened[-1].execute("SELECT FROM attention_types")
        for path in server.data.glob("base/pgsql_tmp/pgsql_tmp_ruattn*"):
            if "." not in path.name:
                path.unlink(missing_ok=True)
        return opened[-1]

    yield session
    for connection in opened:
        connection.close()


def remains(server: Server) -> list[str]:
    """Files that are being built, or were left half built and outlast the next build."""
    return [path.name for path in server.data.glob("base/pgsql_tmp/pgsql_tmp_ruattn*.*")]


def is_answered(session: Connection) -> None:
    assert session.execute(SEARCH).fetchall() == [(ROWS,)]


@pytest.fixture
def duration(start: Callable[[], Connection]) -> float:
    """The seconds of a cold search."""
    session = start()
    begin = time.monotonic()
    is_answered(session)
    return time.monotonic() - begin


@pytest.mark.slow
def test_statement_timeout(start: Callable[[], Connection], server: Server, duration: float) -> None:
    for part in (0.05, 0.3, 0.6, 0.9):
        session = start()
        session.execute(f"SET statement_timeout = {max(1, round(part * duration * 1000))}".encode())
        begin = time.monotonic()
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            session.execute(SEARCH)
            assert part > 0.5, "it was not interrupted"
        assert time.monotonic() - begin < part * duration + LATEST
        assert remains(server) == []
        session.execute("SET statement_timeout = 0")
        is_answered(session)


@pytest.mark.slow
@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("waits", [False, True], ids=["builds", "waits"])
def test_a_session_that(
    start: Callable[[], Connection], server: Server, big: str, duration: float, function: str, waits: bool
) -> None:
    session, other = start(), start()
    failures: list[BaseException] = []

    def build() -> None:
        try:
            is_answered(other)
        except BaseException as error:
            failures.append(error)

    builder = threading.Thread(target=build)
    if waits:
        builder.start()
        time.sleep(0.1 * duration)
    asked: list[float] = []

    def interrupt() -> None:
        time.sleep(0.3 * duration)
        with psycopg.connect(big, autocommit=True) as admin:
            asked.append(time.monotonic())
            admin.execute(f"SELECT {function}(%s)".encode(), [session.info.backend_pid])

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises((psycopg.errors.QueryCanceled, psycopg.errors.AdminShutdown)):
        session.execute(SEARCH)
    done = time.monotonic()
    interrupter.join()
    if waits:
        builder.join()
    assert done - asked[0] < LATEST
    assert failures == []
    is_answered(start())
    assert remains(server) == []


@pytest.mark.slow
def test_a_client_that_is_gone(start: Callable[[], Connection], server: Server, big: str) -> None:
    client = start()
    pid = client.info.backend_pid
    client.execute("SET client_connection_check_interval = 20")
    client.pgconn.send_query(SEARCH.encode())
    time.sleep(0.1)
    client.close()
    with psycopg.connect(big, autocommit=True) as other:
        deadline = time.monotonic() + 5
        while other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).rowcount:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    is_answered(start())
    assert remains(server) == []


@pytest.mark.slow
def test_a_builder_that_is_stopped_holds_nobody_up_for_ever(
    start: Callable[[], Connection], big: str, duration: float
) -> None:
    """It is stopped in the middle, as by a debugger or a stuck disk."""
    builder, waiter = start(), start()
    thread = threading.Thread(target=is_answered, args=(builder,))
    thread.start()
    time.sleep(0.3 * duration)
    os.kill(builder.info.backend_pid, signal.SIGSTOP)
    try:
        waiter.execute("SET statement_timeout = '2s'")
        begin = time.monotonic()
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            waiter.execute(SEARCH)
        assert time.monotonic() - begin < 2 + LATEST
    finally:
        os.kill(builder.info.backend_pid, signal.SIGCONT)
        thread.join()
    waiter.execute("SET statement_timeout = 0")
    is_answered(waiter)
