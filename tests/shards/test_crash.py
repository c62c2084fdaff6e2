"""A shard whose server crashes in the middle of a search; apart from the others, who need theirs."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

import psycopg
import pytest

from tests.shards.answers import DOCS, QUERY, SHARDS, assert_alike, both
from tests.shards.cluster import DATABASE, Cluster

SLOW = "CREATE VIEW slow AS SELECT docs.* FROM docs, (SELECT pg_sleep({}) OFFSET 0) w"
SEARCH = f"SELECT id, score FROM mha_search WHERE {DOCS} AND {QUERY}"


def kill_when_busy(uri: str) -> threading.Thread:
    """SIGKILL for the process that answers the search, as soon as it does; its server then starts anew."""

    def run() -> None:
        busy = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        with psycopg.connect(uri, autocommit=True) as watching:
            while not (found := watching.execute(busy.encode()).fetchall()):
                time.sleep(0.01)
            os.kill(found[0][0], signal.SIGKILL)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for(uri: str) -> None:
    """Until the server takes connections again."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(uri):
            return
        time.sleep(0.1)
    pytest.fail("the shard did not start again")


def test_it_is_named_and_no_answer_is_given(cluster: Cluster) -> None:
    for name, connection in cluster.shards.items():
        connection.execute(SLOW.format(10 if name == "s2" else 0).encode())
    uri = cluster.servers["s2"].uri(DATABASE)
    killing = kill_when_busy(uri)
    with pytest.raises(psycopg.Error) as caught:
        cluster.db.execute(f"{SEARCH} AND {SHARDS}".replace("public.docs", "public.slow").encode())
    killing.join()
    assert str(caught.value.sqlstate).startswith("08")
    assert str(caught.value.diag.message_primary).startswith('shard "s2" (server "s2_server"): ')
    wait_for(uri)
    assert_alike(both(cluster, f"{SEARCH} AND k = 3"))
