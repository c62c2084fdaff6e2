"""Answers follow the table's definition: what holds its rows, what its columns are, and how all is called."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
NEW = "'{8,7,6,5,4,3,2,1}'"
# each leaves 12 rows with vectors
CHANGES = (
    f"ALTER TABLE docs DROP vec, ADD vec real[] DEFAULT {NEW}",
    f"ALTER TABLE docs DROP vec, ADD vec double precision[]; UPDATE docs SET vec = {NEW}",
    "ALTER TABLE docs ALTER vec TYPE double precision[]",
    "ALTER TABLE docs ALTER vec TYPE real[] USING vec || vec[1:0]",
    f"ALTER TABLE docs ALTER vec TYPE real[] USING {NEW}",
    f"ALTER TABLE docs ADD new real[] DEFAULT {NEW}, DROP vec; ALTER TABLE docs RENAME new TO vec",
    "ALTER TABLE docs ALTER id TYPE bigint USING 100 + id",
    "ALTER TABLE docs DROP id, ADD id int DEFAULT 7",
    "ALTER TABLE docs RENAME id TO old; ALTER TABLE docs ADD id int; UPDATE docs SET id = 20 + old",
    "ALTER TABLE docs ADD PRIMARY KEY (id)",
    f"TRUNCATE docs; INSERT INTO docs (id, vec) SELECT i, {NEW} FROM generate_series(1, 12) i",
    "VACUUM FULL docs",
    "CREATE INDEX docs_note ON docs (note); CLUSTER docs USING docs_note",
    "ALTER TABLE docs SET TABLESPACE spare",
    "ALTER TABLE docs SET UNLOGGED",
    "ALTER TABLE docs ALTER vec SET STORAGE EXTERNAL; UPDATE docs SET vec = vec",
    "CREATE TABLE new AS SELECT id + 1 AS id, place, vec FROM docs; DROP TABLE docs;"
    " ALTER TABLE new RENAME TO docs",
    "ALTER TABLE docs RENAME TO old; CREATE VIEW docs AS SELECT id + 5 AS id, place, vec FROM old",
)


def statements(change: str) -> list[str]:
    """One at a time: VACUUM does not run with others."""
    return change.split("; ")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_definition(docs: Connection, connect: Connect, agree: Agree, change: str) -> None:
    other = connect()
    assert agree(other) == ALL
    for statement in statements(change):
        docs.execute(statement.encode())
    for session in (docs, other, connect()):
        assert len(agree(session)) == 12


@pytest.mark.parametrize("change", [change for change in CHANGES if "VACUUM" not in change])
def test_a_change_of_the_definition_that_is_rolled_back(
    docs: Connection, connect: Connect, agree: Agree, change: str
) -> None:
    docs.execute("BEGIN")
    for statement in statements(change):
        docs.execute(statement.encode())
    for _ in range(2):
        assert len(agree(docs)) == 12
    docs.execute("ROLLBACK")
    for session in (docs, connect()):
        assert agree(session) == ALL


def test_a_table_truncated_in_the_transaction_that_created_it(db: Connection, agree: Agree) -> None:
    """In place: the file keeps its name, and rows that come after it their places."""
    db.execute("BEGIN; CREATE TABLE brief (id int, place int, vec real[])")
    for number in range(4):
        for savepoint in ("SAVEPOINT s", "SELECT 1"):
            db.execute(savepoint.encode())
            vectors = [f"'{{{','.join(str(number + row * 2 + i % 3) for i in range(8))}}}'" for row in (1, 2)]
            db.execute("TRUNCATE brief")
            db.execute(f"INSERT INTO brief VALUES (1, 1, {vectors[0]}), (2, 2, {vectors[1]})".encode())
            assert agree(db, "brief") == [1, 2]
    db.execute("ROLLBACK TO s")
    assert agree(db, "brief") == [1, 2]
    db.execute("COMMIT")
    assert agree(db, "brief") == [1, 2]


def test_a_temporary_table(db: Connection, connect: Connect, agree: Agree) -> None:
    """Each session has its own under the same name; one empties itself at each commit."""
    sessions = [db, connect()]
    for number, session in enumerate(sessions):
        session.execute(
            f"CREATE TEMP TABLE docs AS SELECT i AS id, i AS place, ARRAY[i, {number}, i * i]::real[] || "
            f"ARRAY[1, 2, 3, 4, 5]::real[] AS vec FROM generate_series(1, {number + 3}) i".encode()
        )
    for _ in range(2):
        assert [agree(session) for session in sessions] == [[1, 2, 3], [1, 2, 3, 4]]
    db.execute(
        "CREATE TEMP TABLE brief (LIKE docs) ON COMMIT DELETE ROWS; BEGIN; INSERT INTO brief TABLE docs"
    )
    assert agree(db, "brief") == [1, 2, 3]
    db.execute("COMMIT")
    assert agree(db, "brief") == []


def test_a_column_whose_number_goes_to_another(docs: Connection, agree: Agree) -> None:
    """A transaction that fails gives the number of its column back; the row versions stay as they are."""
    change = "ALTER TABLE docs DROP vec, ADD vec real[] DEFAULT '{{{},1,1,1,1,1,1,1}}'"
    docs.execute("BEGIN; " + change.format(1))
    assert agree(docs) == agree(docs) == ALL
    docs.execute("ROLLBACK; " + change.format(2))
    assert agree(docs) == agree(docs) == ALL


def test_partitions_come_and_go(db: Connection, connect: Connect, agree: Agree) -> None:
    db.execute("CREATE TABLE docs (id int, place int, vec real[]) PARTITION BY RANGE (id)")
    for number in range(3):
        bounds = f"FROM ({number * 4}) TO ({number * 4 + 4})"
        db.execute(f"CREATE TABLE docs{number} PARTITION OF docs FOR VALUES {bounds}".encode())
    db.execute("INSERT INTO docs SELECT i, i, ARRAY[i,1,2,3,4,5,6,i*i]::real[] FROM generate_series(0, 11) i")
    other = connect()
    for _ in range(2):
        assert agree(db) == agree(other) == list(range(12))
    db.execute("ALTER TABLE docs DETACH PARTITION docs1")
    assert agree(db) == agree(other) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert agree(other, "docs1") == [4, 5, 6, 7]
    db.execute("UPDATE docs1 SET vec = '{1,1,1,1,1,1,1,9}' WHERE id = 5")
    db.execute("ALTER TABLE docs ATTACH PARTITION docs1 FOR VALUES FROM (4) TO (8)")
    assert agree(db) == agree(other) == list(range(12))
    db.execute("UPDATE docs SET id = 9 WHERE id = 1; TRUNCATE docs1")
    assert agree(db) == agree(other) == [0, 2, 3, 8, 9, 9, 10, 11]
    db.execute("ALTER TABLE docs DETACH PARTITION docs1 CONCURRENTLY")
    db.execute("DROP TABLE docs0")
    assert agree(db) == agree(other) == [8, 9, 9, 10, 11]


def test_children_come_and_go(docs: Connection, connect: Connect, agree: Agree) -> None:
    other = connect()
    docs.execute("CREATE TABLE kid () INHERITS (docs)")
    assert agree(docs) == agree(other) == ALL
    docs.execute("INSERT INTO kid SELECT id + 12, 0, '', vec FROM docs")
    assert agree(docs) == agree(other) == list(range(1, 25))
    docs.execute("ALTER TABLE kid NO INHERIT docs")
    assert agree(docs) == agree(other) == ALL
    docs.execute("ALTER TABLE kid INHERIT docs; DELETE FROM kid WHERE id > 20")
    assert agree(docs) == agree(other) == list(range(1, 21))
    docs.execute("DROP TABLE kid")
    assert agree(docs) == agree(other) == ALL


def test_a_materialised_view_is_as_it_was_refreshed(docs: Connection, connect: Connect, agree: Agree) -> None:
    other = connect()
    docs.execute("CREATE MATERIALIZED VIEW kept AS SELECT id, place, vec FROM docs WHERE id <> 3")
    docs.execute("CREATE UNIQUE INDEX ON kept (id)")
    for _ in range(2):
        assert len(agree(other, "kept")) == 11
    docs.execute("DELETE FROM docs WHERE id > 6")
    assert len(agree(other, "kept")) == 11
    for how in ("", "CONCURRENTLY "):
        docs.execute(f"REFRESH MATERIALIZED VIEW {how}kept".encode())
        assert agree(other, "kept") == [1, 2, 4, 5, 6]
    docs.execute("UPDATE docs SET vec = '{1,2,1,2,1,2,1,2}'; REFRESH MATERIALIZED VIEW CONCURRENTLY kept")
    assert agree(other, "kept") == [1, 2, 4, 5, 6]


def test_a_view_that_filters(docs: Connection, connect: Connect, agree: Agree) -> None:
    other = connect()
    docs.execute("CREATE VIEW chosen AS SELECT * FROM docs WHERE place <= 6")
    for _ in range(2):
        assert agree(other, "chosen") == ALL[:6]
    docs.execute("UPDATE docs SET place = 99 WHERE id = 2")
    assert agree(other, "chosen") == [1, 3, 4, 5, 6]
    docs.execute("CREATE OR REPLACE VIEW chosen AS SELECT * FROM docs WHERE place > 6")
    assert agree(other, "chosen") == [2, *range(7, 13)]
