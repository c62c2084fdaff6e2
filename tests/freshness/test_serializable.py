"""Write skew through searches is noticed: of two that read what the other writes, one must fail."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

TABLES = """
CREATE TABLE a (id int, vec real[]);
INSERT INTO a VALUES (1, '{1,0}'), (2, '{0,1}');
CREATE TABLE b AS TABLE a
"""
SEARCH = "SELECT count(*) FROM mha_search WHERE table_name = '{}' AND query = '{{1,1}}' AND num_heads = 1"
# by ctid, so that a write reads nothing but its own row
WRITES = (
    "INSERT INTO {} VALUES (3, '{{2,2}}')",
    "UPDATE {} SET vec = '{{3,3}}' WHERE ctid = '(0,1)'",
    "DELETE FROM {} WHERE ctid = '(0,2)'",
)


@pytest.fixture(params=["cold", "warm", "indexed"])
def pair(request: pytest.FixtureRequest, connect: Connect) -> tuple[Connection, Connection]:
    """Two sessions in SERIALIZABLE with tables a and b, which they have searched before or not."""
    first, second = connect(), connect()
    first.execute(TABLES)
    if request.param == "indexed":
        for table in ("a", "b"):
            first.execute(f"CREATE INDEX ON {table} USING ruvector_attention (vec) INCLUDE (id)".encode())
    first.execute("VACUUM a, b")
    for session in (first, second):
        for table in ("a", "b") * 2:
            if request.param != "cold":
                search(session, table)
    for session in (first, second):
        session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1")
    return first, second


def search(session: Connection, table: str) -> int:
    row = session.execute(SEARCH.format(table).encode()).fetchone()
    assert row is not None
    return int(row[0])


def run(pair: tuple[Connection, Connection], *actions: tuple[int, str, str]) -> int:
    """Let the sessions act in this order, then commit; how many failed to serialise."""
    failed = set()
    for number, what, table in (*actions, (0, "COMMIT", ""), (1, "COMMIT", "")):
        if number in failed:
            continue
        try:
            if what == "search":
                assert search(pair[number], table) == 2
            else:
                pair[number].execute(what.format(table).encode())
        except psycopg.errors.SerializationFailure:
            failed.add(number)
    return len(failed)


@pytest.mark.parametrize("write", WRITES)
def test_both_search_then_both_write(pair: tuple[Connection, Connection], write: str) -> None:
    actions = ((0, "search", "a"), (1, "search", "b"), (0, write, "b"), (1, write, "a"))
    assert run(pair, *actions) == 1


@pytest.mark.parametrize("write", WRITES)
def test_both_write_then_both_search(pair: tuple[Connection, Connection], write: str) -> None:
    """The other's write is there already, but invisible, when it is searched."""
    actions = ((0, write, "b"), (1, write, "a"), (0, "search", "a"), (1, "search", "b"))
    assert run(pair, *actions) == 1


@pytest.mark.parametrize("write", WRITES)
def test_one_has_committed_before_the_other_searches(pair: tuple[Connection, Connection], write: str) -> None:
    actions = ((1, "search", "b"), (1, write, "a"), (1, "COMMIT", ""), (0, "search", "a"), (0, write, "b"))
    assert run(pair, *actions) == 1


@pytest.mark.parametrize("write", WRITES)
def test_without_searches_nothing_fails(pair: tuple[Connection, Connection], write: str) -> None:
    assert run(pair, (0, write, "b"), (1, write, "a")) == 0


@pytest.mark.parametrize("write", WRITES)
def test_a_search_by_one_only_fails_nobody(pair: tuple[Connection, Connection], write: str) -> None:
    assert run(pair, (0, "search", "a"), (1, write, "a")) == 0


def test_a_search_of_a_partition_that_the_other_writes(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("""
        CREATE TABLE a (id int, vec real[]) PARTITION BY LIST (id);
        CREATE TABLE a1 PARTITION OF a FOR VALUES IN (1); CREATE TABLE a2 PARTITION OF a FOR VALUES IN (2, 3);
        INSERT INTO a VALUES (1, '{1,0}'), (2, '{0,1}'); CREATE TABLE b AS TABLE a
    """)
    for session in (first, second):
        assert search(session, "a") == search(session, "b") == 2
        session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1")
    write = "INSERT INTO {} VALUES (3, '{{2,2}}')"
    assert (
        run((first, second), (0, "search", "a"), (1, "search", "b"), (0, write, "b"), (1, write, "a2")) == 1
    )
