"""Connections that come and go, in good ways and in bad, leave nothing behind, and nothing hangs."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.load.storm import Leftovers, Storm
from tests.load.words import KINDS, STATEMENTS, Words

Connection = psycopg.Connection[Any]

SEED = 21
WARM_UP, DEADLINE = 7, 300


def make(connection: Connection, rows: int) -> Words:
    """Tables of random unit vectors."""
    words = Words(rows, 64)
    embeddings = np.random.default_rng(SEED).standard_normal((rows, words.dim)).astype(np.float32)
    words.make(connection, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True))
    return words


def blow(storm: Storm, connections: int, workers: int) -> tuple[Counter[str], float]:
    """So many connections, some at a time: how many ended in each way, and seconds."""
    start = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        ends = Counter(pool.map(storm.live, range(connections), timeout=DEADLINE))
    return ends, time.monotonic() - start


def settle(storm: Storm) -> None:
    """Have a copy of each table."""
    with psycopg.connect(storm.server.uri(storm.database), autocommit=True) as session:
        for kind in KINDS:
            assert all(storm.answers(session, kind, search) for search in STATEMENTS)


def check(storm: Storm, connections: int, workers: int) -> tuple[Counter[str], float]:
    """Blow, and compare what is left with what was there after a smaller storm."""
    left = Leftovers(storm.server)
    blow(storm, WARM_UP, workers)
    settle(storm)
    before, memory = left.settled(), left.memory()
    ends, seconds = blow(storm, connections, workers)
    settle(storm)
    assert not left.more_than(before)
    assert left.memory() <= memory + 1024
    return ends, seconds


def test_fourteen_connections(server: Server, database: str, db: Connection) -> None:
    ends, _ = check(Storm(server, database, make(db, 400)), 14, 4)
    assert set(ends.values()) == {2}


@pytest.mark.long
def test_five_hundred_connections(load_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(load_server.uri(), autocommit=True) as admin:
        words = make(admin, 5000)
        host = admin.execute("SHOW listen_addresses").fetchall()[0][0]
        ends, seconds = check(Storm(load_server, "postgres", words, host), 504, 20)
    with capsys.disabled():
        print(f"\n504 connections, 20 at a time, {load_server.installation}: {seconds:.0f} s, {dict(ends)}")
