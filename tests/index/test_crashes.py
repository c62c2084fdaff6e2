"""Attention indexes after a crash of a backend or of the whole server."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.crashes import crash

from .conftest import problems, stats

Connection = psycopg.Connection[Any]

SETTINGS = {"autovacuum": "off", "fsync": "off"}


def connect(server: Server) -> Connection:
    return psycopg.connect(server.uri(), autocommit=True)


def make(connection: Connection, kind: str = "") -> None:
    connection.execute(f"CREATE {kind} TABLE documents (id int, embedding real[])".encode())
    connection.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")


@pytest.mark.parametrize("checkpoint", [True, False])
def test_recovery_replays_all_that_writes(own_server: Server, checkpoint: bool) -> None:
    with connect(own_server) as db:
        make(db)
        if checkpoint:
            db.execute("CHECKPOINT")
        db.execute("INSERT INTO documents SELECT i, CASE WHEN i % 10 > 0 THEN '{1,2}'::real[] END"
                   " FROM generate_series(1, 5000) i")  # fmt: skip
        db.execute("DELETE FROM documents WHERE id % 3 = 0")
        db.execute("VACUUM documents")
        db.execute("CREATE TABLE copy AS TABLE documents")
        db.execute("CREATE INDEX built ON copy USING ruvector_attention (embedding)")
        before = stats(db), stats(db, "built")
        assert before[0].dead > 0
    crash(own_server, SETTINGS)
    with connect(own_server) as db:
        assert (stats(db), stats(db, "built")) == before
        assert problems(db) == problems(db, "built") == []
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 5000) i")
        assert problems(db) == []


def test_a_crash_amid_insertions_loses_no_committed_row(own_server: Server) -> None:
    with connect(own_server) as db:
        make(db)
    writers = [connect(own_server) for _ in range(3)]
    for writer in writers:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 4000) i")
    writers[0].execute("COMMIT")
    crash(own_server, SETTINGS)
    for writer in writers:
        writer.close()
    with connect(own_server) as db:
        assert db.execute("SELECT count(*) FROM documents").fetchall() == [(4000,)]
        assert problems(db) == []
        db.execute("VACUUM documents")
        found = stats(db)
        assert found.entries - found.dead == 4000
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 9000) i")
        assert problems(db) == []


def test_a_page_that_a_crash_left_unwritten_does_no_harm(own_server: Server) -> None:
    """The file was made longer, and the record that made the page a tail never reached the disk."""
    with connect(own_server) as db:
        make(db)
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 100) i")
        path = db.execute("SELECT pg_relation_filepath('attn')").fetchall()[0][0]
    own_server.stop()
    with (own_server.data / path).open("ab") as file:
        file.write(bytes(8192))
    own_server.start()
    with connect(own_server) as db:
        assert problems(db) == []
        assert stats(db)[:4] == (100, 0, 0, 3)
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 5000) i")
        db.execute("DELETE FROM documents WHERE id % 2 = 0")
        db.execute("VACUUM documents")
        assert stats(db)[:3] == (5100, 0, 2550)
        assert problems(db) == []


def test_an_unlogged_index_is_empty_after_a_crash_and_begins_anew(own_server: Server) -> None:
    with connect(own_server) as db:
        make(db, "UNLOGGED")
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 3000) i")
        before = stats(db)
        os.kill(db.info.backend_pid, signal.SIGKILL)
        own_server_is_back(own_server)
    with connect(own_server) as db:
        empty = stats(db)
        assert empty[:4] == (0, 0, 0, 1)
        assert empty.build is empty.epoch is None
        assert problems(db) == []
        db.execute("VACUUM documents")
        db.execute("INSERT INTO documents VALUES (1, '{1,2}')")
        after = stats(db)
        assert after.entries == 1
        assert after.build not in (None, before.build)
        assert after.epoch not in (None, before.epoch)
        assert problems(db) == []


def own_server_is_back(server: Server) -> None:
    """Wait until the postmaster has restarted after the crash of a backend."""
    for _ in range(500):
        time.sleep(0.02)
        if "all server processes terminated" not in server.log.read_text():
            continue
        try:
            connect(server).close()
        except psycopg.OperationalError:
            continue
        return
    raise AssertionError("the server does not come back")


def test_an_unlogged_table_becomes_logged(own_server: Server) -> None:
    with connect(own_server) as db:
        make(db, "UNLOGGED")
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 3000) i")
        db.execute("ALTER TABLE documents SET LOGGED")
        before = stats(db)
    crash(own_server, SETTINGS)
    with connect(own_server) as db:
        assert stats(db) == before
        assert problems(db) == []
