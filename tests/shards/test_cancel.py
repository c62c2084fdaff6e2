"""A cancel takes effect at once wherever a search of shards is, and ends what they do for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.shards.answers import QUERY, SHARDS
from tests.shards.cluster import DATABASE, Cluster, declare, import_tables

Session = psycopg.Connection[Any]

LATEST = 0.7
"""Seconds from a cancel to its effect on a machine that runs other tests too; alone it takes 20 to 60 ms."""
IN_SECOND = "EXISTS (SELECT FROM pg_cursors WHERE statement LIKE '%normaliser%')"
CONNECT_TIMEOUT = 2
"""What alone ends the connecting of postgres_fdw before PostgreSQL 16; libpq takes no less."""
PHASES = ("first", "second", "many")
"""Relations that shards are long about in the first round, in the second, or by their rows."""
VIEWS = f"""
CREATE VIEW first AS SELECT docs.* FROM docs, (SELECT pg_sleep(30) OFFSET 0) w;
CREATE VIEW second AS SELECT docs.* FROM docs,
  (SELECT pg_sleep(CASE WHEN {IN_SECOND} THEN 30 ELSE 0 END) OFFSET 0) w;
CREATE VIEW many AS SELECT id * 10000 + n AS id, embedding FROM docs, generate_series(1, 8000) n;
"""


def search(relation: str) -> str:
    return f"SELECT id FROM mha_search WHERE table_name = 'public.{relation}' AND {QUERY} AND {SHARDS}"


BLOCKS = {
    "cross_attention": "SELECT lse FROM cross_attention WHERE document_table = 'public.%s' AND k = 1"
    " AND num_heads = 4 AND temperature = 0.1",
    "attention": "SELECT entropy FROM attention WHERE table_name = 'public.%s'",
}
"""Searches of a relation, some of whose queries take a second round."""


def block(table: str, relation: str) -> str:
    """The search of a relation by 90 queries together."""
    return f"{BLOCKS[table] % relation} AND query_table = 'docs' AND {SHARDS}"


class Shards:
    """The sessions on the shards that search for this server."""

    def __init__(self, sessions: list[Session]) -> None:
        self._sessions = sessions

    def busy(self, condition: str = "true") -> list[datetime]:
        """When their statements began, of those that run and meet a condition."""
        statement = (
            "SELECT query_start FROM pg_stat_activity WHERE application_name = 'postgres_fdw' "
            f"AND state = 'active' AND {condition}"
        )
        return [start for session in self._sessions for (start,) in session.execute(statement.encode())]

    def wait_for(self, phase: str) -> None:
        """Until all of them sleep, or give out rows."""
        fetches: set[datetime] = set()

        def reached() -> bool:
            if phase == "many":
                # each cursor of a transaction has the next number
                fetches.update(self.busy("query ~ '^FETCH 100 FROM c[456]$'"))
                return len(fetches) > 9
            return len(self.busy("wait_event = 'PgSleep'")) == 3

        wait_until(reached, 20)

    def wait_for_the_end(self, seconds: float) -> None:
        """Until none of them does anything."""
        wait_until(lambda: not self.busy(), seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Fails where it takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module", autouse=True)
def views(cluster: Cluster) -> None:
    for connection in cluster.shards.values():
        connection.execute(VIEWS.encode())


@pytest.fixture
def shards(cluster: Cluster) -> Iterator[Shards]:
    with ExitStack() as stack:
        yield Shards(
            [
                stack.enter_context(psycopg.connect(server.uri(DATABASE), autocommit=True))
                for server in cluster.servers.values()
            ]
        )


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    """A session whose interpreter runs and that is connected to the shards."""
    with psycopg.connect(cluster.asking.uri(DATABASE), autocommit=True) as connection:
        connection.execute(search("docs").encode())
        yield connection


@contextmanager
def ending(cluster: Cluster, session: Session, way: str, ready: Callable[[], None]) -> Iterator[list[float]]:
    """End the session's statement in that way as soon as it is ready; the moment at which that was asked."""
    asked: list[float] = []

    def end() -> None:
        ready()
        asked.append(time.monotonic())
        cluster.db.execute(f"SELECT {way}({session.info.backend_pid})".encode())

    thread = threading.Thread(target=end)
    thread.start()
    yield asked
    thread.join()


@pytest.mark.parametrize("phase", ["first", "second"])
@pytest.mark.parametrize("table", BLOCKS)
def test_it_ends_where_many_queries_go_together(
    cluster: Cluster, session: Session, shards: Shards, table: str, phase: str
) -> None:
    with (
        ending(cluster, session, "pg_cancel_backend", lambda: shards.wait_for(phase)) as asked,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        session.execute(block(table, phase).encode())
    assert time.monotonic() - asked[0] < LATEST
    shards.wait_for_the_end(asked[0] + LATEST - time.monotonic())
    assert session.execute(block(table, "docs").encode()).fetchall()


@pytest.mark.parametrize("table", BLOCKS)
def test_many_queries_go_together_in_both_rounds(cluster: Cluster, table: str) -> None:
    """So that the test above meets them there."""
    plan = cluster.db.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {block(table, 'docs')}".encode()).fetchall()
    [rows] = [int(row[0].split()[-1]) for row in plan if "Rows From Shards" in row[0]]
    second = [int(row[0].split()[-1]) for row in plan if "Second Rounds" in row[0]]
    assert second > [1] if table == "cross_attention" else rows == 2 * 3 * 90


@pytest.mark.parametrize("way", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("phase", PHASES)
def test_it_ends_in_every_phase(
    cluster: Cluster, session: Session, shards: Shards, phase: str, way: str
) -> None:
    with (
        ending(cluster, session, way, lambda: shards.wait_for(phase)) as asked,
        pytest.raises(psycopg.OperationalError) as caught,
    ):
        session.execute(search(phase).encode())
    assert time.monotonic() - asked[0] < LATEST
    shards.wait_for_the_end(asked[0] + LATEST - time.monotonic())
    if way == "pg_cancel_backend":
        assert caught.value.sqlstate == "57014"
        assert session.execute(search("docs").encode()).rowcount == 90


def test_a_timeout_ends_shards_that_work_one_after_the_other(
    cluster: Cluster, session: Session, shards: Shards
) -> None:
    try:
        for name in cluster.servers:
            cluster.db.execute(f"ALTER SERVER {name}_server OPTIONS (SET async_capable 'false')".encode())
        session.execute(search("docs").encode())
        session.execute("SET statement_timeout = '500ms'")
        start = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            session.execute(search("first").encode())
        assert time.monotonic() - start < 0.5 + LATEST
    finally:
        for name in cluster.servers:
            cluster.db.execute(f"ALTER SERVER {name}_server OPTIONS (SET async_capable 'true')".encode())
    assert "shard" not in str(caught.value.diag.message_primary)
    shards.wait_for_the_end(LATEST)


def test_a_client_that_is_gone_leaves_nothing_behind(cluster: Cluster, shards: Shards) -> None:
    client = psycopg.connect(cluster.asking.uri(DATABASE), autocommit=True)
    client.execute("SET client_connection_check_interval = 20")
    client.pgconn.send_query(search("first").encode())
    shards.wait_for("first")
    client.close()
    shards.wait_for_the_end(LATEST)


@contextmanager
def silent(cluster: Cluster) -> Iterator[socket.socket]:
    """A further shard `silent`, which takes connections and says nothing."""
    try:
        declare(cluster.db, "silent", cluster.servers["s1"])
        import_tables(cluster.db, "silent")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            address = f"SET host '127.0.0.1', ADD port '{port}', ADD connect_timeout '{CONNECT_TIMEOUT}'"
            cluster.db.execute(f"ALTER SERVER silent_server OPTIONS ({address})".encode())
            yield listening
    finally:
        cluster.db.execute("DROP SERVER silent_server CASCADE; DROP SCHEMA silent")


def test_connecting_to_a_shard_that_is_silent(cluster: Cluster, session: Session) -> None:
    taken: list[socket.socket] = []
    asking_it = search("docs").replace('"s1"', '"silent"')
    with (
        silent(cluster) as listening,
        ending(cluster, session, "pg_cancel_backend", lambda: taken.append(listening.accept()[0])) as asked,
        pytest.raises(psycopg.OperationalError) as caught,
    ):
        session.execute(asking_it.encode())
    late = time.monotonic() - asked[0]
    taken[0].close()
    interruptible = cluster.db.info.server_version >= 160000
    assert late < (0 if interruptible else CONNECT_TIMEOUT) + LATEST
    assert caught.value.sqlstate == ("57014" if interruptible else "08001")
