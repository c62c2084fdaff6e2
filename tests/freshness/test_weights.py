"""Weights are those that the caller's snapshot sees, and only for whom they are granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

SETUP = """
CREATE TABLE vectors (id int PRIMARY KEY, v real[]);
INSERT INTO vectors VALUES (1, '{1,0}'), (2, '{0,1}');
INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES ('m', 'W_k', '{2,2}', '{1,0,0,1}');
"""
SWAP = "UPDATE ruattn_weights SET data = '{0,1,1,0}' WHERE name = 'm'"
SEARCH = (
    "SELECT id FROM mha_search WHERE table_name = 'vectors' AND query = '[1,0]' AND num_heads = 1 AND k = 1"
)


def best(connection: Connection, clauses: str = "AND model = 'm'") -> int:
    return int(connection.execute(f"{SEARCH} {clauses}".encode()).fetchall()[0][0])


@pytest.fixture
def db(db: Connection) -> Connection:
    db.execute(SETUP)
    return db


def test_the_next_query_sees_an_update(db: Connection, connect: Callable[..., Connection]) -> None:
    assert [best(db), best(db)] == [1, 1]
    with connect() as other:
        other.execute(SWAP)
    assert best(db) == 2
    db.execute("DELETE FROM ruattn_weights")
    with pytest.raises(psycopg.Error, match='model "m" does not exist'):
        best(db)


def test_an_old_snapshot_sees_the_old_weights(db: Connection, connect: Callable[..., Connection]) -> None:
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert best(db) == 1
        with connect() as other:
            other.execute(SWAP)
            assert best(other) == 2
        assert best(db) == 1
    assert best(db) == 2


def test_own_writes_are_seen_until_they_are_taken_back(db: Connection) -> None:
    assert best(db) == 1
    with db.transaction(force_rollback=True):
        db.execute(SWAP)
        assert best(db) == 2
        with db.transaction(force_rollback=True):
            db.execute("TRUNCATE ruattn_weights")
            db.execute(SETUP.splitlines()[3].encode())
            assert best(db) == 1
        assert best(db) == 2
    assert best(db) == 1


def test_a_role_needs_the_privilege_each_time(db: Connection) -> None:
    db.execute("CREATE ROLE reader; GRANT SELECT ON vectors TO reader")
    try:
        db.execute("SET ROLE reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="ruattn_weights"):
            best(db)
        db.execute("RESET ROLE; GRANT SELECT ON ruattn_weights TO reader; SET ROLE reader")
        assert [best(db), best(db)] == [1, 1]
        db.execute("RESET ROLE; REVOKE SELECT ON ruattn_weights FROM reader; SET ROLE reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="ruattn_weights"):
            best(db)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(SWAP)
    finally:
        db.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_row_security_hides_sets(db: Connection) -> None:
    assert best(db) == 1
    db.execute("CREATE ROLE reader; GRANT SELECT ON vectors, ruattn_weights TO reader")
    try:
        db.execute("ALTER TABLE ruattn_weights ENABLE ROW LEVEL SECURITY")
        db.execute("CREATE POLICY open ON ruattn_weights USING (name = current_setting('my.set', true))")
        db.execute("SET ROLE reader; SET my.set = 'm'")
        assert best(db) == 1
        db.execute("SET my.set = 'none'")
        with pytest.raises(psycopg.Error, match='model "m" does not exist'):
            best(db)
    finally:
        db.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_a_table_of_that_name_elsewhere_is_not_taken(db: Connection) -> None:
    db.execute("CREATE SCHEMA mine; CREATE TABLE mine.ruattn_weights (LIKE ruattn_weights)")
    db.execute("INSERT INTO mine.ruattn_weights SELECT * FROM public.ruattn_weights")
    db.execute("UPDATE mine.ruattn_weights SET data = '{0,1,1,0}'")
    db.execute("SET search_path = mine, public")
    assert best(db) == 1


def test_keys_that_are_kept_projected_follow_the_rows(
    db: Connection, connect: Callable[..., Connection]
) -> None:
    # cosines are no products, so that the keys are projected
    cosine = "AND model = 'm' AND attention_type = 'cosine'"
    assert [best(db, cosine), best(db, cosine)] == [1, 1]
    with connect() as other:
        other.execute("UPDATE vectors SET v = '{0,2}' WHERE id = 1; INSERT INTO vectors VALUES (3, '{3,1}')")
        assert [best(db, cosine), best(db, cosine)] == [3, 3]
        other.execute("INSERT INTO vectors VALUES (4, '{5,0}')")
        assert best(db, cosine) == 4
        other.execute("DELETE FROM vectors WHERE id = 4")
        assert [best(db, cosine), best(db, cosine)] == [3, 3]
        other.execute(SWAP)
        assert best(db, cosine) in (1, 2)
