"""A builder that is killed leaves nothing that would be taken for an answer, and nobody waits for it."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]

ROWS = 100_000
TABLE = f"""
CREATE EXTENSION ruattn_fdw;
CREATE TABLE big AS
SELECT row_number() OVER () AS id, v
FROM (SELECT array_agg(sin(n * 64 + d)::real) AS v
      FROM generate_series(1, 1000) n, generate_series(1, 64) d GROUP BY n) s,
     generate_series(1, {ROWS // 1000});
CREATE TABLE small AS SELECT i AS id, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 9) i;
CHECKPOINT
"""
SEARCH = (
    "SELECT count(*), sum(logit) FROM mha_search WHERE table_name = '{}' AND query_id = 1 AND num_heads = 1"
)


@pytest.fixture(scope="module")
def fragile(server: Server) -> Iterator[Server]:
    """A server of its own, whose sessions are killed."""
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), server.installation, server.variables)
    try:
        running.start({"fsync": "off", "autovacuum": "off", "shared_preload_libraries": "ruattn_fdw"})
        with psycopg.connect(running.uri(), autocommit=True) as connection:
            for statement in TABLE.split(";"):
                connection.execute(statement.encode())
        yield running
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)


def starts(server: Server) -> int:
    """How often the server has become ready."""
    return server.log.read_text(errors="replace").count("database system is ready to accept connections")


def files(server: Server) -> list[str]:
    """All files of ours, whole and half built."""
    return [path.name for path in server.data.glob("base/pgsql_tmp/pgsql_tmp_ruattn*")]


def kill_during(server: Server, seconds: float, others: int) -> list[Any]:
    """Kill a session so long after it began to search, while others ask the same; all that happened."""
    with contextlib.ExitStack() as stack:
        sessions = [
            stack.enter_context(contextlib.closing(psycopg.connect(server.uri(), autocommit=True)))
            for _ in range(1 + others)
        ]
        outcomes: list[Any] = []

        def search(session: Connection) -> None:
            try:
                outcomes.append(session.execute(SEARCH.format("big").encode()).fetchall())
            except psycopg.OperationalError as error:
                outcomes.append(type(error))

        threads = [threading.Thread(target=search, args=(session,)) for session in sessions]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        os.kill(sessions[0].info.backend_pid, signal.SIGKILL)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.95])
def test_the_next_search_is_answered(fragile: Server, part: float, others: int) -> None:
    with psycopg.connect(fragile.uri(), autocommit=True) as session:
        # whatever was warm is cold again
        session.execute("VACUUM FULL big")
        begin = time.monotonic()
        expected = session.execute(SEARCH.format("big").encode()).fetchall()
        duration = time.monotonic() - begin
        session.execute("VACUUM FULL big")
        session.execute("CHECKPOINT")
    before = starts(fragile)
    kill_during(fragile, part * duration, others)
    deadline = time.monotonic() + 30
    while starts(fragile) == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with psycopg.connect(fragile.uri(), autocommit=True) as session:
        session.execute("SET statement_timeout = '20s'")
        for _ in range(2):
            found = session.execute(SEARCH.format("big").encode()).fetchall()
            assert found[0][0] == expected[0][0]
            assert found[0][1] == pytest.approx(expected[0][1], rel=1e-4)
            session.execute(SEARCH.format("small").encode())
        counted = session.execute("SELECT sum(calls)::int FROM attention_stats")
        assert counted.fetchall() == [(4,)], "statistics begin anew"
    assert [name for name in files(fragile) if "." in name] == []


@pytest.mark.slow
def test_what_the_server_was_killed_over_is_swept_when_it_starts(fragile: Server) -> None:
    with psycopg.connect(fragile.uri(), autocommit=True) as session:
        session.execute(SEARCH.format("small").encode())
    folder = fragile.data / "base" / "pgsql_tmp"
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, fragile.account.uid, fragile.account.gid)
    leftovers = [folder / f"pgsql_tmp_ruattn_{'ab' * 8}{end}" for end in ("", ".99999.0123abcd")]
    for path in leftovers:
        path.write_bytes(b"left over")
        shutil.chown(path, fragile.account.uid, fragile.account.gid)
    fragile.stop()
    fragile.start({"fsync": "off", "shared_preload_libraries": "ruattn_fdw"})
    assert files(fragile) == []
