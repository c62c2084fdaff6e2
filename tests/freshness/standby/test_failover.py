"""A standby that becomes the primary, and what follows it, answer from their own rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
from checks import cache_use
from sessions import STANDBY
from tables import DOCS, TABLES

from ruattn_fdw.server.server import Server
from tests.crashes import end
from tests.plugins.servers import run

Connection = psycopg.Connection[Any]
StandbyOf = Callable[..., Server]
Agree = Callable[[Connection], list[int]]
Open = Callable[[Server], Connection]
Begin = Callable[[Connection, str, str], Future[list[Any]]]

ALL = list(range(1, 13))
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2,3,4,5,6,7,8}' AND k = 20"
PLACES = "SELECT pg_relation_filenode('{0}'), ctid::text, xmin::text FROM {0} WHERE id = 13"
REWINDABLE = {"wal_log_hints": "on", "full_page_writes": "on", "wal_keep_size": "1GB"}


@pytest.fixture
def session_of(database: str) -> Iterator[Open]:
    """Opens sessions on the test's database of a server."""
    opened: list[Connection] = []

    def connect(server: Server) -> Connection:
        opened.append(psycopg.connect(server.uri(database), autocommit=True))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def first(tables: Connection, own_server: Server, standby_of: StandbyOf) -> Server:
    """A standby of the server of its own, which has the tables."""
    return standby_of(own_server, **REWINDABLE)


def promote(session: Connection) -> None:
    assert session.execute("SELECT pg_promote()").fetchall() == [(True,)]


def test_promotion_in_the_midst_of_searches(
    first: Server, session_of: Open, agreed: Agree, begin: Begin
) -> None:
    """Snapshots, cursors and a statement begun on the standby go on as they were; new ones see new rows."""
    session, held, busy = (session_of(first) for _ in range(3))
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert agreed(held) == agreed(session) == ALL
    held.execute(f"DECLARE found CURSOR FOR {SEARCH.replace('docs', 'int8')}".encode())
    assert len(held.execute("FETCH 2 FROM found").fetchall()) == 2
    searches = SEARCH.replace("docs", "float32").replace("'{1,2,3,4,5,6,7,8}'", "ARRAY[1,g,2,3,4,5,6,7]")
    statement = (
        f"SELECT pg_is_in_recovery(), ARRAY(SELECT id FROM ({searches}) s ORDER BY id),"
        " pg_sleep(CASE WHEN pg_is_in_recovery() THEN 0.02 ELSE 0 END) FROM generate_series(1, 1000) g"
    )
    rows = begin(busy, statement, "float32")
    promote(session)
    TABLES.run(session, "DELETE FROM docs WHERE id > 6")
    TABLES.run(session, "VACUUM docs")
    assert agreed(held) == ALL
    assert agreed(session) == ALL[:6]
    answers = rows.result()
    assert {row[0] for row in answers} == {True, False}
    assert all(row[1] == ALL for row in answers)
    assert len(held.execute("FETCH ALL FROM found").fetchall()) == 10
    held.execute("COMMIT")
    assert agreed(held) == ALL[:6]


def test_what_is_written_after_promotion(
    tables: Connection, first: Server, session_of: Open, agreed: Agree
) -> None:
    """The primary that was, which nobody stopped, goes its own way."""
    tables.execute(DOCS.replace("TABLE docs", "UNLOGGED TABLE brief").replace("docs", "brief").encode())
    tables.execute("CREATE INDEX brief_attn ON brief USING ruvector_attention (vec) INCLUDE (id)")
    tables.execute("SET synchronous_commit = on")
    TABLES.run(tables, "UPDATE docs SET note = 'x'")
    session = session_of(first)
    assert agreed(session) == ALL
    promote(session)
    TABLES.run(session, "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
    TABLES.run(session, "DELETE FROM docs WHERE id = 1")
    assert agreed(session) == ALL[1:]
    TABLES.run(session, "VACUUM docs")
    TABLES.run(session, "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id < 4")
    new = session_of(first)
    for _ in range(2):
        assert agreed(new) == agreed(session) == [*ALL[1:], 22, 23]
    for name in TABLES.names:
        assert cache_use(new, SEARCH.replace("docs", name)) == "hit"
    assert session.execute(SEARCH.replace("docs", "brief").encode()).fetchall() == []
    session.execute("INSERT INTO brief SELECT * FROM int8")
    assert len(session.execute(SEARCH.replace("docs", "brief").encode()).fetchall()) == 13
    TABLES.run(tables, "DELETE FROM docs WHERE id > 6")
    assert agreed(tables) == ALL[:6]


def test_a_standby_of_the_promoted_one(
    first: Server,
    own_server: Server,
    standby_of: StandbyOf,
    session_of: Open,
    agreed: Agree,
    catch_up: Callable[..., None],
) -> None:
    """It follows to the new timeline with the copies that it has."""
    second = standby_of(own_server)
    session, follower = session_of(first), session_of(second)
    follower.execute(f"ALTER SYSTEM SET primary_conninfo = '{first.uri()}'".encode())
    follower.execute("SELECT pg_reload_conf()")
    assert agreed(session) == agreed(follower) == ALL
    promote(session)
    TABLES.run(session, "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
    TABLES.run(session, "DELETE FROM docs WHERE id > 9")
    TABLES.run(session, "VACUUM docs")
    TABLES.run(session, "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id < 3")
    catch_up(session, follower)
    timelines = "SELECT received_tli FROM pg_stat_wal_receiver"
    assert follower.execute(timelines).fetchall() == [(2,)]
    for reader in (follower, session_of(second)) * 2:
        assert agreed(reader) == agreed(session) == [*ALL[:9], 21, 22]


def add(session: Connection, vector: str) -> list[Any]:
    """Insert a row with id 13 into each table and give its place: file, position, transaction."""
    TABLES.run(session, f"INSERT INTO docs (id, vec) VALUES (13, '{vector}')")
    return [session.execute(PLACES.format(name).encode()).fetchall() for name in TABLES.names]


def cut_off(follower: Connection) -> None:
    """Have a standby receive nothing any more."""
    follower.execute("ALTER SYSTEM SET primary_conninfo = ''")
    follower.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 20
    while follower.execute("SELECT FROM pg_stat_wal_receiver").rowcount:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rewind(old: Server, new: Server) -> None:
    """Make the primary that was a standby of the one that is, without what only it had."""
    run(old, "pg_rewind", "-D", str(old.data), "--source-server", new.uri(), "-R", "--no-sync")


def test_the_primary_is_killed_with_commits_that_nobody_received(
    first: Server, standby_of: StandbyOf, session_of: Open, agreed: Agree, catch_up: Callable[..., None]
) -> None:
    """Rows of the new primary take the places of those that were lost; the old one then follows it."""
    old, session = first, session_of(first)
    promote(session)
    # a folder, where pg_rewind of PostgreSQL 16 looks for a link
    session.execute("DROP TABLESPACE spare")
    new = standby_of(old, **REWINDABLE)
    follower = session_of(new)
    catch_up(session, follower)
    assert agreed(follower) == ALL
    cut_off(follower)
    lost = add(session, "{1,2,3,4,5,6,7,8}")
    for reader in (session, session_of(old)) * 2:
        assert agreed(reader) == [*ALL, 13]
    end(old)
    assert agreed(follower) == ALL
    promote(follower)
    assert agreed(follower) == ALL
    assert add(follower, "{-8,7,-6,5,-4,3,-2,1}") == lost
    for reader in (follower, session_of(new)) * 2:
        assert agreed(reader) == [*ALL, 13]
    follower.execute("CHECKPOINT")
    rewind(old, new)
    old.start({**STANDBY, **REWINDABLE})
    returned = session_of(old)
    catch_up(follower, returned)
    for _ in range(2):
        assert agreed(returned) == [*ALL, 13]
    TABLES.run(follower, "DELETE FROM docs WHERE id < 13")
    catch_up(follower, returned)
    assert agreed(returned) == agreed(follower) == [13]
