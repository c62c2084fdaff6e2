"""Both rounds see one snapshot of each shard; shards have none in common."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from tests.shards.answers import QUERY, SHARDS
from tests.shards.cluster import DATABASE, Cluster, delayed

SCORES = f"SELECT sum(score) FROM mha_search WHERE table_name = 'public.paced' AND {QUERY} AND {SHARDS}"
NEAREST = "INSERT INTO docs VALUES (5000, '{1,0.5,-0.4,-1,-0.6,0.3,1,0.7}')"


@pytest.fixture
def paced(cluster: Cluster) -> object:
    """A relation that s3 takes a second to read, so that the first round ends long after s1 has answered."""
    with delayed(cluster, "paced", "s3", 1):
        yield
    for connection in cluster.shards.values():
        connection.execute("DELETE FROM docs WHERE id = 5000")


def insert_between_rounds(cluster: Cluster) -> threading.Thread:
    """A row on s1, as soon as s1 has answered the first round and s3 has not."""

    def run() -> None:
        with (
            psycopg.connect(cluster.servers["s1"].uri(DATABASE), autocommit=True) as s1,
            psycopg.connect(cluster.servers["s3"].uri(DATABASE), autocommit=True) as s3,
        ):
            answered = (
                "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE 'FETCH%'"
            )
            reading = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            deadline = time.monotonic() + 20
            while not (s1.execute(answered.encode()).rowcount and s3.execute(reading.encode()).rowcount):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            s1.execute(NEAREST)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.usefixtures("paced")
def test_a_row_that_comes_between_the_rounds_is_in_neither(cluster: Cluster) -> None:
    writing = insert_between_rounds(cluster)
    [(total,)] = cluster.db.execute(SCORES.encode()).fetchall()
    writing.join()
    assert cluster.shards["s1"].execute("SELECT FROM docs WHERE id = 5000").rowcount == 1
    assert total == pytest.approx(1, abs=1e-5)


def test_a_transaction_sees_a_shard_as_it_first_found_it(cluster: Cluster) -> None:
    search = f"SELECT id FROM mha_search WHERE table_name = 'public.docs' AND {QUERY} AND {SHARDS}"
    try:
        with cluster.db.transaction():
            before = cluster.db.execute(search.encode()).fetchall()
            cluster.shards["s1"].execute(NEAREST)
            assert cluster.db.execute(search.encode()).fetchall() == before
        assert len(cluster.db.execute(search.encode()).fetchall()) == len(before) + 1
    finally:
        cluster.shards["s1"].execute("DELETE FROM docs WHERE id = 5000")
