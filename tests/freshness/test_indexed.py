"""Attention indexes never change an answer, in whatever state they are and whatever they do not know."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
INDEX = "CREATE INDEX i ON docs USING ruvector_attention (vec)"
OTHER = "'{1,2,3,4,5,6,7,8}'"

pytestmark = pytest.mark.parametrize("index", [None])


@pytest.mark.parametrize("concurrently", ["", "CONCURRENTLY "])
def test_an_index_over_a_broken_hot_chain(
    docs: Connection, connect: Connect, agree: Agree, concurrently: str
) -> None:
    """The old snapshot sees versions that the index has no entries of."""
    old = connect(options="-c lock_timeout=200")
    docs.execute("CREATE TABLE other ()")
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other")
    docs.execute(f"UPDATE docs SET vec = {OTHER} WHERE id % 2 = 0".encode())
    docs.execute("SET lock_timeout = 200")
    statement = INDEX.replace("INDEX i", f"INDEX {concurrently}i").encode()
    if concurrently:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            docs.execute(statement)
    else:
        docs.execute(statement)
    for _ in range(2):
        assert agree(old) == agree(docs) == ALL
    docs.execute(f"UPDATE docs SET vec = {OTHER} WHERE id = 3".encode())
    assert agree(old) == agree(docs) == ALL
    old.execute("COMMIT")
    assert agree(old) == ALL


@pytest.mark.parametrize("include", ["", " INCLUDE (id)"])
@pytest.mark.parametrize("unique", ["SELECT", "CREATE UNIQUE INDEX ON docs (id)"])
def test_ids_that_change_alone(
    docs: Connection, connect: Connect, agree: Agree, include: str, unique: str
) -> None:
    docs.execute(f"{INDEX}{include}".encode())
    docs.execute(unique.encode())
    other = connect()
    for _ in range(2):
        assert agree(docs) == agree(other) == ALL
    docs.execute("UPDATE docs SET id = id + 20 WHERE id > 6")
    after = [*ALL[:6], *range(27, 33)]
    assert agree(docs) == agree(other) == after
    docs.execute("BEGIN; UPDATE docs SET id = 50 WHERE id = 1")
    assert agree(docs) == [*ALL[1:6], *range(27, 33), 50]
    assert agree(other) == after
    docs.execute("ROLLBACK")
    docs.execute("VACUUM docs")
    assert agree(docs) == agree(other) == after


def test_addresses_that_come_to_hold_other_rows(docs: Connection, connect: Connect, agree: Agree) -> None:
    docs.execute(f"{INDEX} INCLUDE (id)".encode())
    other = connect()
    assert agree(other) == ALL
    places = docs.execute("SELECT ctid::text FROM docs ORDER BY ctid").fetchall()
    for number in range(5):
        docs.execute("DELETE FROM docs")
        docs.execute("VACUUM (INDEX_CLEANUP on, TRUNCATE off) docs")
        docs.execute(
            f"INSERT INTO docs SELECT i, i, '', ARRAY[i, {number}, 1, i * i, 0, 0, {number}, 1]::real[]"
            " FROM generate_series(1, 12) i".encode()
        )
        assert docs.execute("SELECT ctid::text FROM docs ORDER BY ctid").fetchall() == places
        assert agree(docs) == agree(other) == agree(connect()) == ALL


def test_vacuum_that_skips_the_index(docs: Connection, connect: Connect, agree: Agree) -> None:
    docs.execute(f"{INDEX} INCLUDE (id)".encode())
    other = connect()
    for statement in (
        "DELETE FROM docs WHERE id > 6",
        "VACUUM (INDEX_CLEANUP off) docs",
        "INSERT INTO docs SELECT id + 6, 0, '', vec FROM docs",
        "VACUUM (INDEX_CLEANUP on) docs",
        "UPDATE docs SET note = 'x'",
        "VACUUM (FREEZE) docs",
    ):
        docs.execute(statement.encode())
        assert agree(docs) == agree(other)
    assert agree(other) == ALL


def test_an_index_that_is_rebuilt_and_dropped_under_a_snapshot(
    docs: Connection, connect: Connect, agree: Agree
) -> None:
    docs.execute(f"{INDEX} INCLUDE (id)".encode())
    held = connect()
    docs.execute("CREATE TABLE other ()")
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other")
    for statement in (
        "DELETE FROM docs WHERE id > 9",
        "REINDEX INDEX i",
        f"UPDATE docs SET vec = {OTHER} WHERE id < 4",
        "REINDEX TABLE docs",
        "DROP INDEX i",
        f"{INDEX} INCLUDE (id)",
    ):
        docs.execute(statement.encode())
        assert agree(docs) == (ALL[:9])
    assert agree(held) == ALL


def test_a_leaf_without_an_index(db: Connection, connect: Connect, agree: Agree, index: None) -> None:
    db.execute("""
        CREATE TABLE docs (id int, place int, vec real[]) PARTITION BY RANGE (id);
        CREATE TABLE docs1 PARTITION OF docs FOR VALUES FROM (0) TO (10);
        CREATE TABLE docs2 PARTITION OF docs FOR VALUES FROM (10) TO (20);
        INSERT INTO docs SELECT i, i, ARRAY[i, 1, 2, 3, 4, 5, 6, i * i]::real[] FROM generate_series(1, 19) i;
        CREATE INDEX ON docs1 USING ruvector_attention (vec) INCLUDE (id)
    """)
    other = connect()
    for _ in range(2):
        assert agree(db) == agree(other) == list(range(1, 20))
    db.execute("DELETE FROM docs WHERE id % 2 = 0")
    assert agree(db) == agree(other) == list(range(1, 20, 2))
    db.execute("CREATE INDEX ON docs USING ruvector_attention (vec) INCLUDE (id)")
    db.execute("UPDATE docs SET id = 11 WHERE id = 1")
    assert agree(db) == agree(other) == [3, 5, 7, 9, 11, 11, 13, 15, 17, 19]


def test_two_indexes_on_one_column(docs: Connection, connect: Connect, agree: Agree) -> None:
    for _ in range(2):
        docs.execute("CREATE INDEX ON docs USING ruvector_attention (vec) INCLUDE (id)")
    other = connect()
    for _ in range(2):
        assert agree(docs) == agree(other) == ALL
    docs.execute("DROP INDEX docs_vec_id_idx; DELETE FROM docs WHERE id = 7")
    assert agree(docs) == agree(other) == [*ALL[:6], *ALL[7:]]
