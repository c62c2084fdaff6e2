"""A hot standby answers as its own rows are, while they are replayed."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest
from checks import cache_use
from tables import TABLES

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Replica = Callable[[], Connection]
Replay = Callable[[], None]
Agree = Callable[[Connection], list[int]]
Begin = Callable[[Connection, str, str], Future[list[Any]]]

ALL = list(range(1, 13))
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2,3,4,5,6,7,8}' AND k = 20"
CHANGES = (
    "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2",
    "DELETE FROM docs WHERE id > 9",
    "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id < 3",
    "UPDATE docs SET id = id + 100 WHERE id = 4",
    "UPDATE docs SET note = 'x'",
    "VACUUM docs",
)


@pytest.mark.usefixtures("feedback")
def test_what_is_replayed_is_seen(tables: Connection, replica: Replica, agreed: Agree) -> None:
    old, held = replica(), replica()
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    for session in (old, held) * 2:
        assert agreed(session) == ALL
    for name in TABLES.names:
        assert cache_use(old, SEARCH.replace("docs", name)) == "hit"
    for change in CHANGES:
        TABLES.run(tables, change)
        new = agreed(replica())
        assert agreed(old) == agreed(tables) == new
        assert agreed(held) == ALL
    held.execute("COMMIT")
    assert agreed(held) == new
    counts = "SELECT sum(calls) > 0 FROM attention_stats WHERE relation = 'int8'::regclass"
    assert old.execute(counts).fetchall() == [(True,)]
    TABLES.run(tables, "ALTER TABLE docs DROP vec, ADD vec real[] DEFAULT '{1,2,3,4,5,6,7,8}'")
    TABLES.run(tables, "VACUUM FULL docs")
    assert agreed(replica()) == agreed(old) == agreed(held) == agreed(tables)


@pytest.mark.usefixtures("feedback")
def test_a_table_truncated_after_the_snapshot_was_taken(
    tables: Connection, replica: Replica, replay: Replay, agreed: Agree
) -> None:
    """TRUNCATE is not MVCC: plain SQL sees no rows, neither old nor new."""
    old, held = replica(), replica()
    assert agreed(old) == agreed(held) == ALL
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    TABLES.run(tables, "TRUNCATE docs; INSERT INTO docs (id, vec) VALUES (50, '{1,2,3,4,5,6,7,8}')")
    replay()
    assert agreed(held) == []
    assert agreed(old) == [50]
    held.execute("COMMIT")
    assert agreed(held) == [50]
    tables.execute("BEGIN")
    TABLES.run(tables, "TRUNCATE docs; INSERT INTO docs (id, vec) VALUES (60, '{1,2,3,4,5,6,7,8}')")
    tables.execute("ROLLBACK")
    replay()
    assert agreed(old) == agreed(tables) == [50]


@pytest.mark.usefixtures("feedback")
def test_cursors_that_are_read_after_changes(
    tables: Connection, replica: Replica, replay: Replay, agreed: Agree
) -> None:
    session = replica()
    session.execute("BEGIN")
    for name in TABLES.names:
        for cursor in ("early", "late"):
            search = SEARCH.replace("docs", name)
            session.execute(f"DECLARE {cursor}_{name} CURSOR FOR {search}".encode())
        assert len(session.execute(f"FETCH 1 FROM early_{name}".encode()).fetchall()) == 1
    TABLES.run(tables, "DELETE FROM docs WHERE id > 3")
    TABLES.run(tables, "VACUUM docs")
    TABLES.run(tables, "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs")
    replay()
    assert agreed(session) == [1, 2, 3, 21, 22, 23]
    for name in TABLES.names:
        for cursor, left in (("early", 11), ("late", 12)):
            rows = session.execute(f"FETCH ALL FROM {cursor}_{name}".encode()).fetchall()
            assert len(rows) == left
            assert {row[0] for row in rows} <= set(ALL)
    session.execute("COMMIT")


@pytest.mark.usefixtures("feedback")
@pytest.mark.parametrize("table", TABLES.names)
def test_a_statement_that_searches_while_rows_are_replayed(
    tables: Connection, replica: Replica, replay: Replay, agreed: Agree, begin: Begin, table: str
) -> None:
    """Each of its searches has the statement's snapshot, whatever came since."""
    session = replica()
    search = SEARCH.replace("docs", table).replace("'{1,2,3,4,5,6,7,8}'", "ARRAY[1,g,2,3,4,5,6,7]")
    statement = (
        f"SELECT ARRAY(SELECT id FROM ({search}) s ORDER BY id), pg_sleep(0.02),"
        " pg_last_wal_replay_lsn()::text FROM generate_series(1, 30) g"
    )
    rows = begin(session, statement, table)
    while not rows.done():
        tables.execute(f"INSERT INTO {table} SELECT id + 20, 0, '', vec FROM {table} WHERE id = 1".encode())
        tables.execute(f"DELETE FROM {table} WHERE id > 20".encode())
        tables.execute(f"VACUUM {table}".encode())
        replay()
    assert len({row[2] for row in rows.result()}) > 3
    assert all(row[0] == ALL for row in rows.result())
    assert agreed(session) == ALL


def test_transactions_that_run_on_the_primary_are_not_seen(
    tables: Connection, connect: Connect, replica: Replica, replay: Replay, agreed: Agree
) -> None:
    """With more subtransactions than a snapshot lists; in recovery it lists no running ones at all."""
    writer = connect()
    writer.execute("BEGIN")
    for number in range(70):
        writer.execute("SAVEPOINT s")
        insert = f"INSERT INTO docs SELECT 100 + {number}, 0, '', vec FROM docs WHERE id = 1"
        TABLES.run(writer, insert)
    session = replica()
    for _ in range(2):
        assert agreed(session) == ALL
    writer.execute("COMMIT")
    replay()
    assert agreed(session) == [*ALL, *range(100, 170)]
    tables.execute("BEGIN")
    TABLES.run(tables, "DELETE FROM docs WHERE id > 100")
    tables.execute("PREPARE TRANSACTION 'p'")
    replay()
    assert agreed(session) == [*ALL, *range(100, 170)]
    tables.execute("COMMIT PREPARED 'p'")
    replay()
    assert agreed(session) == [*ALL, 100]
