"""A hot standby answers as its own rows are, while they are replayed."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sessions import SETTINGS

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))


@pytest.fixture
def standby(own_server: Server, docs: Connection) -> Iterator[Server]:
    """A standby of the server of its own, taken while `docs` was warm there."""
    copy = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), own_server.installation)
    shutil.rmtree(copy.data)
    command = [own_server.installation.program("pg_basebackup"), "-D", str(copy.data), "-R", "-c", "fast"]
    command += ["-d", own_server.uri()]
    done = own_server.account.run(
        command, cwd=own_server.data.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert done.returncode == 0, done.stdout
        copy.data.joinpath(".s.PGSQL.5432.lock").unlink(missing_ok=True)
        copy.start({**SETTINGS, "hot_standby_feedback": "on"})
        yield copy
    finally:
        copy.stop()
        shutil.rmtree(copy.data, ignore_errors=True)


@pytest.fixture
def replica(standby: Server, database: str, docs: Connection) -> Iterator[Callable[[], Connection]]:
    """Opens a session on the standby, once it has replayed all that the primary has written."""
    opened: list[Connection] = []

    def connect() -> Connection:
        position = docs.execute("SELECT pg_current_wal_insert_lsn()").fetchall()[0][0]
        # an asynchronous commit is not sent before it is flushed
        docs.execute("SET synchronous_commit = on; CREATE TABLE flush (); DROP TABLE flush")
        opened.append(psycopg.connect(standby.uri(database), autocommit=True))
        deadline = time.monotonic() + 20
        while (
            not opened[-1]
            .execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [position])
            .fetchall()[0][0]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


def test_what_is_replayed_is_seen(docs: Connection, replica: Callable[[], Connection], agree: Agree) -> None:
    old = replica()
    held = replica()
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    for session in (old, held) * 2:
        assert agree(session) == ALL
    for change in (
        "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2",
        "DELETE FROM docs WHERE id > 9",
        "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id < 3",
        "UPDATE docs SET id = id + 100 WHERE id = 4",
        "VACUUM docs",
    ):
        docs.execute(change.encode())
        new = replica()
        assert agree(new) == agree(old) == agree(docs)
        assert agree(held) == ALL
    held.execute("COMMIT")
    counts = "SELECT sum(calls) > 0 FROM attention_stats WHERE relation = 'docs'::regclass"
    assert old.execute(counts).fetchall() == [(True,)]
    docs.execute("ALTER TABLE docs DROP vec, ADD vec real[] DEFAULT '{1,2,3,4,5,6,7,8}'")
    docs.execute("VACUUM FULL docs")
    new = replica()
    assert agree(new) == agree(old) == agree(held) == agree(docs)


def test_transactions_that_run_on_the_primary_are_not_seen(
    docs: Connection, connect: Connect, replica: Callable[[], Connection], agree: Agree
) -> None:
    """With more subtransactions than a snapshot lists; in recovery it lists no running ones at all."""
    writer = connect()
    writer.execute("BEGIN")
    for number in range(70):
        writer.execute(
            f"SAVEPOINT s; INSERT INTO docs SELECT 100 + {number}, 0, '', vec FROM docs WHERE id = 1".encode()
        )
    session = replica()
    for _ in range(2):
        assert agree(session) == ALL
    writer.execute("COMMIT")
    replica()
    assert agree(session) == [*ALL, *range(100, 170)]
    docs.execute("BEGIN; DELETE FROM docs WHERE id > 100; PREPARE TRANSACTION 'p'")
    replica()
    assert agree(session) == [*ALL, *range(100, 170)]
    docs.execute("COMMIT PREPARED 'p'")
    replica()
    assert agree(session) == [*ALL, 100]


def test_a_standby_that_is_promoted(
    docs: Connection, replica: Callable[[], Connection], agree: Agree
) -> None:
    session = replica()
    assert agree(session) == ALL
    session.execute("SELECT pg_promote()")
    for _ in range(2):
        assert agree(session) == ALL
    session.execute("UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2; DELETE FROM docs WHERE id = 1")
    assert agree(session) == ALL[1:]
    docs.execute("DELETE FROM docs WHERE id > 6")
    assert agree(docs) == ALL[:6]
    assert agree(session) == ALL[1:]
