"""A snapshot that is held sees what was there when it was taken, whatever others do and VACUUM removes."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
CHANGES = (
    "INSERT INTO docs SELECT id + 12, 0, '', vec FROM docs",
    "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id % 2 = 0",
    "UPDATE docs SET id = id + 100 WHERE id < 3",
    "DELETE FROM docs WHERE id > 9",
    "VACUUM docs",
    "UPDATE docs SET note = 'x'",
    "CREATE INDEX ON docs (note)",
    "VACUUM (FREEZE) docs",
)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "REPEATABLE READ READ ONLY"])
def test_a_transaction_sees_one_state(docs: Connection, connect: Connect, agree: Agree, level: str) -> None:
    held, late = connect(), connect()
    for session in (held, late):
        session.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
    assert agree(held) == ALL
    late.execute("SELECT 1")
    for change in CHANGES:
        docs.execute(change.encode())
        new = agree(docs)
        assert agree(connect()) == new
        assert agree(held) == agree(late) == ALL
    held.execute("COMMIT")
    assert agree(held) == new
    assert agree(late) == ALL


def test_a_snapshot_that_another_session_exported(docs: Connection, connect: Connect, agree: Agree) -> None:
    other = connect()
    docs.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    row = docs.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    connect().execute("DELETE FROM docs WHERE id > 3")
    other.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{row[0]}'".encode())
    assert agree(other) == agree(docs) == ALL
    other.execute("COMMIT")
    assert agree(other) == [1, 2, 3]
    assert agree(docs) == ALL


def test_a_cursor_that_is_read_after_changes(docs: Connection, connect: Connect, agree: Agree) -> None:
    search = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query_id = 1"
    docs.execute(f"BEGIN; DECLARE early CURSOR FOR {search}; DECLARE late CURSOR FOR {search}".encode())
    assert docs.execute("FETCH 1 FROM early").fetchall() == [(1,)]
    connect().execute("DELETE FROM docs WHERE id > 3")
    docs.execute("DELETE FROM docs WHERE id = 2")
    assert agree(docs) == [1, 3]
    for cursor, left in (("early", 11), ("late", 12)):
        rows = docs.execute(f"FETCH ALL FROM {cursor}".encode()).fetchall()
        assert len({row[0] for row in rows}) == len(rows) == left
    docs.execute("COMMIT")


def test_a_table_truncated_after_the_snapshot_was_taken(
    docs: Connection, connect: Connect, agree: Agree
) -> None:
    """TRUNCATE is not MVCC: plain SQL sees no rows, neither old nor new."""
    held = connect()
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    docs.execute("TRUNCATE docs; INSERT INTO docs (id, vec) VALUES (50, '{1,2,3,4,5,6,7,8}')")
    assert agree(docs) == [50]
    assert agree(held) == []
    held.execute("COMMIT")
    assert agree(held) == [50]


def test_rows_that_commit_while_a_statement_runs_come_with_the_next(
    docs: Connection, connect: Connect, agree: Agree
) -> None:
    """In READ COMMITTED each statement has its own snapshot, within one transaction too."""
    other = connect()
    docs.execute("BEGIN")
    for number in range(13, 18):
        other.execute(f"INSERT INTO docs SELECT {number}, 0, '', vec FROM docs WHERE id = 1".encode())
        assert agree(docs) == list(range(1, number + 1))
    docs.execute("COMMIT")


def test_a_commit_between_two_transactions_that_began_earlier(
    docs: Connection, connect: Connect, agree: Agree
) -> None:
    """Transactions end in another order than they began in."""
    first, second = connect(), connect()
    first.execute("BEGIN; INSERT INTO docs SELECT 21, 0, '', vec FROM docs WHERE id = 1")
    second.execute("BEGIN; INSERT INTO docs SELECT 22, 0, '', vec FROM docs WHERE id = 1")
    assert agree(docs) == ALL
    second.execute("COMMIT")
    assert agree(docs) == [*ALL, 22]
    first.execute("ROLLBACK")
    assert agree(docs) == [*ALL, 22]
