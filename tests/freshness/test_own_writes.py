"""What a transaction has written itself is in its answers, and in nobody else's, until it is over."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
WRITES = {
    "INSERT INTO docs SELECT id + 12, 0, '', vec FROM docs": list(range(1, 25)),
    "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id < 4": ALL,
    "UPDATE docs SET vec = NULL WHERE id < 4": list(range(4, 13)),
    "UPDATE docs SET id = id + 100 WHERE id > 6": [*range(1, 7), *range(107, 113)],
    "UPDATE docs SET note = 'other'": ALL,
    "DELETE FROM docs WHERE id > 3": [1, 2, 3],
    "TRUNCATE docs": [],
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
def test_a_write_before_and_after_the_end(
    docs: Connection, connect: Connect, agree: Agree, write: str, end: str
) -> None:
    other = connect()
    docs.execute("BEGIN")
    assert agree(docs) == ALL
    docs.execute(write.encode())
    for _ in range(2):
        assert agree(docs) == WRITES[write]
        if not write.startswith("TRUNCATE"):
            assert agree(other) == ALL
    docs.execute(end.encode())
    for session in (docs, other, connect()):
        assert agree(session) == (ALL if end == "ROLLBACK" else WRITES[write])


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_is_rolled_back_to_a_savepoint(
    docs: Connection, connect: Connect, agree: Agree, write: str
) -> None:
    docs.execute("BEGIN; DELETE FROM docs WHERE id = 12; SAVEPOINT s")
    assert agree(docs) == ALL[:-1]
    docs.execute(write.encode())
    agree(docs)
    docs.execute("ROLLBACK TO s")
    assert agree(docs) == ALL[:-1]
    docs.execute("COMMIT")
    assert agree(docs) == agree(connect()) == ALL[:-1]


def test_a_subtransaction_that_is_aborted_in_plpgsql(docs: Connection, agree: Agree) -> None:
    docs.execute("""
        BEGIN;
        DO $$ BEGIN
            UPDATE docs SET vec = '{1,1,1,1,1,1,1,1}';
            PERFORM id FROM mha_search WHERE table_name = 'docs' AND query_id = 1;
            RAISE 'enough';
        EXCEPTION WHEN raise_exception THEN NULL; END $$
    """)
    assert agree(docs) == ALL
    docs.execute("COMMIT")
    assert agree(docs) == ALL


def test_writes_of_many_subtransactions(docs: Connection, connect: Connect, agree: Agree) -> None:
    """More than a snapshot lists by name."""
    docs.execute("BEGIN")
    for number in range(70):
        row = f"SELECT 100 + {number}, 0, '', vec FROM docs LIMIT 1"
        docs.execute(f"SAVEPOINT s; INSERT INTO docs {row}".encode())
    other = connect()
    assert agree(docs) == [*ALL, *range(100, 170)]
    assert agree(other) == ALL
    docs.execute("COMMIT")
    assert agree(other) == [*ALL, *range(100, 170)]


def test_writes_between_the_commands_of_one_transaction(docs: Connection, agree: Agree) -> None:
    """The snapshot's transactions stay the same, only the command counter moves."""
    docs.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    for number in range(13, 20):
        docs.execute(f"INSERT INTO docs SELECT {number}, 0, '', vec FROM docs WHERE id = 1".encode())
        assert agree(docs) == list(range(1, number + 1))
        docs.execute(f"UPDATE docs SET vec = '{{{','.join([str(number)] * 8)}}}' WHERE id = 2".encode())
        assert agree(docs) == list(range(1, number + 1))
    docs.execute("ROLLBACK")
    assert agree(docs) == ALL


def test_a_prepared_transaction(docs: Connection, connect: Connect, agree: Agree) -> None:
    for end, after in (("ROLLBACK", ALL), ("COMMIT", ALL[:6])):
        docs.execute("BEGIN; DELETE FROM docs WHERE id > 6")
        assert agree(docs) == ALL[:6]
        docs.execute("PREPARE TRANSACTION 'p'")
        assert agree(docs) == agree(connect()) == ALL
        docs.execute(f"{end} PREPARED 'p'".encode())
        assert agree(docs) == agree(connect()) == after
