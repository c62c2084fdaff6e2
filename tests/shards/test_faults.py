"""A shard that is down, lost or slow is an error that names it, never a smaller softmax."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.shards.answers import DOCS, QUERY, SHARDS, assert_alike, both
from tests.shards.cluster import DATABASE, Cluster, delayed

Failure = Callable[..., psycopg.Error]
SEARCH = f"SELECT id, score FROM mha_search WHERE {DOCS} AND {QUERY} AND k = 3"
SLOWLY = f"SELECT id FROM mha_search WHERE table_name = 'public.slow' AND {QUERY} AND {SHARDS}"
S2 = 'shard "s2" (server "s2_server"): '


@pytest.fixture
def slow_s2(cluster: Cluster) -> Iterator[None]:
    """A relation `slow` whose rows s2 takes ten seconds to read, and the others none."""
    with delayed(cluster, "slow", "s2", 10):
        yield


@contextmanager
def session(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server.uri(DATABASE), autocommit=True) as connection:
        yield connection


def when_busy(shard: psycopg.Connection[Any], action: str) -> threading.Thread:
    """Does something to the shard's session of the search, as soon as that is under way."""

    def run() -> None:
        busy = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND wait_event = 'PgSleep'"
        deadline = time.monotonic() + 20
        while not shard.execute(busy.encode()).fetchall() and time.monotonic() < deadline:
            time.sleep(0.01)
        shard.execute(f"SELECT {action}(pid) FROM ({busy}) s".encode())

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_shard_that_is_down(cluster: Cluster, failure: Failure) -> None:
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute("ALTER SERVER s2_server OPTIONS (SET host '/nowhere')")
        error = failure(cluster.db, f"{SEARCH} AND {SHARDS}")
    assert error.sqlstate == "08001"
    assert error.diag.message_primary == f'{S2}could not connect to server "s2_server"'
    assert_alike(both(cluster, SEARCH))


@pytest.mark.usefixtures("slow_s2")
def test_a_session_that_is_ended_in_the_middle(cluster: Cluster, failure: Failure) -> None:
    cluster.db.execute(f"{SEARCH} AND {SHARDS}".encode())
    with session(cluster.servers["s2"]) as watching:
        ending = when_busy(watching, "pg_terminate_backend")
        error = failure(cluster.db, SLOWLY)
        ending.join()
    assert error.sqlstate in ("57P01", "08006")
    assert str(error.diag.message_primary).startswith(S2)
    assert_alike(both(cluster, SEARCH))


@pytest.mark.usefixtures("slow_s2")
def test_a_cancel_ends_the_search_everywhere(cluster: Cluster) -> None:
    with session(cluster.asking) as db, session(cluster.servers["s2"]) as watching:
        db.execute(f"{SEARCH} AND {SHARDS}".encode())
        db.execute("SET statement_timeout = '500ms'")
        start = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            db.execute(SLOWLY.encode())
        assert time.monotonic() - start < 2
        assert "shard" not in str(caught.value.diag.message_primary)
        assert caught.value.diag.context is None
        busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
        assert watching.execute(busy.encode()).fetchone() == (0,)
        db.execute("RESET statement_timeout")
        assert db.execute(f"{SEARCH} AND {SHARDS}".encode()).fetchall()


def test_a_wrong_password(cluster: Cluster, failure: Failure) -> None:
    hba = cluster.servers["s3"].data / "pg_hba.conf"
    before = hba.read_text()
    cluster.shards["s3"].execute(
        "CREATE ROLE visitor LOGIN PASSWORD 'right'; GRANT SELECT ON docs TO visitor"
    )
    mapping = "ALTER USER MAPPING FOR postgres SERVER s3_server OPTIONS"
    try:
        hba.write_text(f"local all visitor scram-sha-256\n{before}")
        cluster.shards["s3"].execute("SELECT pg_reload_conf()")
        cluster.db.execute(f"{mapping} (SET user 'visitor', ADD password 'wrong')".encode())
        error = failure(cluster.db, f"{SEARCH} AND {SHARDS}")
        assert error.sqlstate == "08001"
        assert str(error.diag.message_primary).startswith(
            'shard "s3" (server "s3_server"): could not connect'
        )
        assert "password authentication failed" in str(error.diag.message_detail)
        assert "wrong" not in str(error)
        cluster.db.execute(f"{mapping} (SET password 'right')".encode())
        assert_alike(both(cluster, SEARCH))
    finally:
        hba.write_text(before)
        cluster.shards["s3"].execute("SELECT pg_reload_conf()")
        cluster.db.execute(f"{mapping} (SET user 'postgres', DROP password)".encode())
        cluster.shards["s3"].execute("DROP OWNED BY visitor; DROP ROLE visitor")
