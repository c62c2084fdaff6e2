"""The access method ruvector_attention: its entries after each kind of change, and what it refuses."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

STATS = "SELECT entries, nulls, dead FROM ruvector_attention_index_stats(%s::regclass)"
CHECK = "SELECT place, problem FROM ruvector_attention_index_check(%s::regclass)"


@pytest.fixture
def docs(db: Connection) -> Connection:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, note text, vec real[]) WITH (fillfactor = 50)")
    db.execute("INSERT INTO docs SELECT i, '', ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 50) i")
    return db


def index(db: Connection, rest: str = "", on: str = "docs USING ruvector_attention (vec)") -> None:
    db.execute(f"CREATE INDEX attn ON {on} {rest}".encode())


def state(db: Connection, name: str = "attn") -> tuple[int, int, int]:
    """(entries, of NULL vectors, dead), of an index that agrees with its table."""
    assert db.execute(CHECK, [name]).fetchall() == []
    (row,) = db.execute(STATS, [name]).fetchall()
    return row


def build_and_epoch(db: Connection) -> tuple[int, int]:
    (row,) = db.execute("SELECT build, epoch FROM ruvector_attention_index_stats('attn')").fetchall()
    return row


def test_a_build_has_an_entry_for_each_row(docs: Connection) -> None:
    docs.execute("UPDATE docs SET vec = NULL WHERE id <= 3")
    index(docs)
    assert state(docs) == (50, 3, 0)


def test_an_insertion_adds_an_entry(docs: Connection) -> None:
    index(docs)
    before = build_and_epoch(docs)
    docs.execute("INSERT INTO docs VALUES (51, '', '{1,2,3,4}'), (52, '', NULL)")
    assert state(docs) == (52, 1, 0)
    assert build_and_epoch(docs) == before


def test_a_hot_update_leaves_it_alone(docs: Connection) -> None:
    index(docs)
    docs.execute("UPDATE docs SET note = 'x'")
    assert state(docs) == (50, 0, 0)


@pytest.mark.parametrize(("change", "rest"), [("vec = '{9,9,9,9}'", ""), ("note = 'x'", "INCLUDE (note)")])
def test_an_update_of_what_it_covers_adds_entries(docs: Connection, change: str, rest: str) -> None:
    index(docs, rest)
    docs.execute(f"UPDATE docs SET {change} WHERE id <= 5".encode())
    assert state(docs) == (55, 0, 0)


def test_vacuum_buries_the_dead_under_a_new_epoch(docs: Connection) -> None:
    index(docs)
    build, epoch = build_and_epoch(docs)
    docs.execute("DELETE FROM docs WHERE id > 40")
    docs.execute("VACUUM (INDEX_CLEANUP on) docs")
    assert state(docs) == (50, 0, 10)
    assert build_and_epoch(docs)[0] == build
    assert build_and_epoch(docs)[1] != epoch
    docs.execute("REINDEX INDEX attn")
    assert state(docs) == (40, 0, 0)
    assert build_and_epoch(docs)[0] != build


def test_a_vacuum_that_removes_nothing_keeps_the_epoch(docs: Connection) -> None:
    index(docs)
    before = build_and_epoch(docs)
    docs.execute("VACUUM (INDEX_CLEANUP on) docs")
    assert build_and_epoch(docs) == before


def test_rows_of_a_transaction_that_failed_go_with_vacuum(docs: Connection) -> None:
    index(docs)
    docs.execute("BEGIN; INSERT INTO docs SELECT i, '', '{1,2,3,4}' FROM generate_series(51, 60) i; ROLLBACK")
    assert state(docs) == (60, 0, 0)
    docs.execute("VACUUM (INDEX_CLEANUP on) docs")
    assert state(docs) == (60, 0, 10)


def test_many_pages(docs: Connection) -> None:
    index(docs)
    docs.execute("INSERT INTO docs SELECT i, '', '{1,2,3,4}' FROM generate_series(51, 10000) i")
    assert state(docs) == (10000, 0, 0)
    docs.execute("DELETE FROM docs WHERE id % 2 = 0")
    docs.execute("VACUUM (INDEX_CLEANUP on) docs")
    assert state(docs) == (10000, 0, 5000)


@pytest.mark.parametrize("statement", ["REINDEX INDEX", "REINDEX INDEX CONCURRENTLY"])
def test_reindex(docs: Connection, statement: str) -> None:
    index(docs)
    docs.execute("DELETE FROM docs WHERE id > 40")
    docs.execute(f"{statement} attn".encode())
    assert state(docs)[0] in (40, 50)
    docs.execute("INSERT INTO docs VALUES (60, '', '{1,2,3,4}')")
    assert state(docs)[0] in (41, 51)


def test_it_can_be_built_concurrently(docs: Connection) -> None:
    docs.execute("CREATE INDEX CONCURRENTLY attn ON docs USING ruvector_attention (vec)")
    assert state(docs) == (50, 0, 0)


def test_double_precision_and_domains(db: Connection) -> None:
    db.execute("CREATE TABLE docs (id int, vec double precision[])")
    db.execute("INSERT INTO docs VALUES (1, '{1,2}')")
    index(db)
    assert state(db) == (1, 0, 0)


def test_vector_and_halfvec(db: Connection, pgvector: None) -> None:
    db.execute("CREATE EXTENSION vector; CREATE EXTENSION ruattn_fdw_pgvector")
    db.execute("CREATE TABLE docs (id int, vec vector(3), half halfvec(3))")
    db.execute("INSERT INTO docs VALUES (1, '[1,2,3]', '[1,2,3]')")
    index(db)
    db.execute("CREATE INDEX halves ON docs USING ruvector_attention (half)")
    assert state(db) == state(db, "halves") == (1, 0, 0)


def test_partitions_have_an_index_each(db: Connection) -> None:
    db.execute("CREATE TABLE docs (id int, vec real[]) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs1 PARTITION OF docs FOR VALUES FROM (0) TO (10)")
    db.execute("CREATE TABLE docs2 (id int, vec real[])")
    db.execute("CREATE INDEX attn2 ON docs2 USING ruvector_attention (vec)")
    index(db)
    db.execute("ALTER TABLE docs ATTACH PARTITION docs2 FOR VALUES FROM (10) TO (20)")
    db.execute("INSERT INTO docs SELECT i, '{1,2}' FROM generate_series(5, 14) i")
    assert state(db, "docs1_vec_idx") == state(db, "attn2") == (5, 0, 0)
    with pytest.raises(psycopg.Error, match='index "attn" is partitioned'):
        db.execute(STATS, ["attn"])


@pytest.mark.parametrize("kind", ["UNLOGGED", "TEMP"])
def test_unlogged_and_temporary_tables(db: Connection, kind: str) -> None:
    db.execute(f"CREATE {kind} TABLE docs (id int, vec real[])".encode())
    index(db)
    db.execute("INSERT INTO docs SELECT i, '{1,2}' FROM generate_series(1, 9) i")
    assert state(db) == (9, 0, 0)


@pytest.mark.parametrize(
    ("rest", "sqlstate", "message"),
    [
        ("WITH (num_heads = 3)", "22000", "num_heads"),
        ("WITH (num_heads = 2, head_dim = 3)", "22000", "head_dim"),
        ("WITH (num_heads = 0)", "22023", "num_heads"),
        ("WITH (dtype = 'int4')", "22023", "dtype"),
        ("WITH (attention_type = 'multihed')", "22023", "multihed"),
        ("WITH (lists = 100)", "22023", "lists"),
        ("WHERE id > 3", "0A000", "predicate|partial|WHERE"),
    ],
)
def test_what_it_refuses(docs: Connection, rest: str, sqlstate: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as caught:
        index(docs, rest)
    assert caught.value.sqlstate == sqlstate


def test_expressions_and_several_columns_are_refused(docs: Connection) -> None:
    for columns in ("(vec || vec)", "vec, note"):
        with pytest.raises(psycopg.Error) as caught:
            docs.execute(f"CREATE INDEX ON docs USING ruvector_attention ({columns})".encode())
        assert caught.value.sqlstate in ("0A000", "42704")


def test_a_vector_of_another_width_is_refused(docs: Connection) -> None:
    index(docs, "WITH (num_heads = 2, head_dim = 2)")
    docs.execute("INSERT INTO docs VALUES (51, '', '{1,2,3,4}')")
    with pytest.raises(psycopg.Error, match="3") as caught:
        docs.execute("INSERT INTO docs VALUES (52, '', '{1,2,3}')")
    assert str(caught.value.sqlstate).startswith("22")
    assert state(docs)[0] in (51, 52)


def test_no_plan_uses_it(docs: Connection) -> None:
    index(docs)
    docs.execute("SET enable_seqscan = off; ANALYZE docs")
    for condition in ("vec = '{1,1,2,3}'", "vec IS NULL", "id = 3"):
        plan = docs.execute(f"EXPLAIN SELECT * FROM docs WHERE {condition}".encode()).fetchall()
        assert "attn" not in str(plan)


def test_the_check_finds_a_missing_and_a_stray_entry(docs: Connection) -> None:
    index(docs)
    docs.execute("UPDATE pg_index SET indisready = false WHERE indexrelid = 'attn'::regclass")
    docs.execute("INSERT INTO docs VALUES (51, '', '{1,2,3,4}')")
    docs.execute("UPDATE pg_index SET indisready = true WHERE indexrelid = 'attn'::regclass")
    ((place, problem),) = docs.execute(CHECK, ["attn"]).fetchall()
    assert place is None
    assert "has no entry" in problem


def test_the_functions_of_the_plan(docs: Connection) -> None:
    docs.execute('CREATE TABLE "My Docs" (id int, "the vec" real[])')
    made = docs.execute(
        "SELECT ruvector_create_attention_index('\"My Docs\"', 'the vec', 'flash', num_heads := 8, "
        "include := ARRAY['id'], dtype := 'int8')::text"
    ).fetchall()
    assert made == [('"My Docs_the vec_idx"',)]
    options = docs.execute("SELECT reloptions FROM pg_class WHERE relname = 'My Docs_the vec_idx'").fetchall()
    assert options == [(["attention_type=flash", "num_heads=8", "dtype=int8"],)]
    docs.execute("SELECT ruvector_drop_attention_index('\"My Docs_the vec_idx\"')")
    assert docs.execute("SELECT 1 FROM pg_class WHERE relname = 'My Docs_the vec_idx'").fetchall() == []
    with pytest.raises(psycopg.Error, match="is not an index of access method ruvector_attention"):
        docs.execute("SELECT ruvector_drop_attention_index('docs_pkey')")


def test_the_functions_have_the_callers_rights(docs: Connection) -> None:
    docs.execute("SET ROLE pg_monitor")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        docs.execute("SELECT ruvector_create_attention_index('docs', 'vec')")
    docs.execute("RESET ROLE")
    index(docs)
    docs.execute("SET ROLE pg_monitor")
    for call in (
        "ruvector_drop_attention_index('attn')",
        "ruvector_attention_index_stats('attn')",
        "ruvector_attention_index_check('attn')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            docs.execute(f"SELECT * FROM {call}".encode())
