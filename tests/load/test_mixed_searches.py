"""Many sessions search while one changes what they search: no error, no stale answer, one copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.corpus import read_corpus
from tests.load.memory import Memory
from tests.load.traffic import Traffic
from tests.load.words import SEARCHES, Words

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

SEED = 20
CONNECTIONS, SECONDS = 50, 60
WORKING = 12
"""MiB that a session may hold of its own beyond what it does when it waits after its first search.

Half of it comes with the other kinds of search: pages of the postmaster's that are written to, catalogue
caches, buffers of BLAS. And all sessions are in the midst of a search at any time, while two of them run.
"""
TINY = "SELECT id FROM mha_search WHERE table_name = 'tiny' AND query_id = 0 AND k = 1"


def copies(server: Server) -> float:
    """MiB of the files of all copies."""
    files = (server.data / "base" / "pgsql_tmp").glob("pgsql_tmp_ruattn*")
    return sum(file.stat().st_size for file in files) / 2**20


def test_ten_sessions(db: Connection, connect: Connect) -> None:
    words = Words(400, 64)
    embeddings = np.random.default_rng(SEED).standard_normal((words.rows, words.dim)).astype(np.float32)
    words.make(db, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True))
    traffic = Traffic(words, SEARCHES, SEED, 4)
    traffic.run([connect() for _ in range(10)], db)
    tally = traffic.tally
    assert (tally.errors[:5], tally.stale[:5]) == ([], [])
    assert len(tally.milliseconds) == len(SEARCHES)
    assert min(tally.committed.values()) > 1


@pytest.fixture
def sessions(load_server: Server) -> Iterator[list[Connection]]:
    """Sessions of the server for much load, each of which has searched a little."""
    opened = [psycopg.connect(load_server.uri(), autocommit=True) for _ in range(CONNECTIONS)]
    yield opened
    for session in opened:
        session.close()


@pytest.mark.long
def test_fifty_sessions(
    load_server: Server,
    sessions: list[Connection],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They share one copy of each table, and hold little of their own."""
    embeddings = read_corpus(request.config.option.wordnet).embeddings
    with psycopg.connect(load_server.uri(), autocommit=True) as changer:
        words = Words(*embeddings.shape)
        words.make(changer, embeddings)
        for session in sessions:
            session.execute(TINY.encode()).fetchall()
        pids = [session.info.backend_pid for session in sessions]
        idle = Memory.of(pids)
        traffic = Traffic(words, SEARCHES, SEED, SECONDS)
        most, rest = traffic.run(sessions, changer), Memory.of(pids)
    tally, size = traffic.tally, copies(load_server)
    with capsys.disabled():
        print(
            f"\n{CONNECTIONS} sessions, {SECONDS} s, {words.rows} x {words.dim}, {load_server.installation}, "
            f"seed {SEED}: {len(tally.spent)} searches, {tally.committed.total()} changes, "
            f"{len(tally.errors)} errors, {len(tally.stale)} stale, p50 {tally.quantile(0.5):.0f} ms, "
            f"p99 {tally.quantile(0.99):.0f} ms; MiB: idle {idle.anon:.0f} own + {idle.file:.0f} files, "
            f"most {most.anon:.0f} + {most.file:.0f}, afterwards {rest.anon:.0f} + {rest.file:.0f}, "
            f"copies {size:.0f}, shared buffers {rest.shmem:.0f}"
        )
        for name, times in sorted(tally.milliseconds.items()):
            print(f"  {name}: {len(times)}, median {np.median(times):.0f} ms, most {max(times):.0f} ms")
    assert (tally.errors[:5], tally.stale[:5]) == ([], [])
    assert most.own_and_files <= idle.own_and_files + size + CONNECTIONS * WORKING
