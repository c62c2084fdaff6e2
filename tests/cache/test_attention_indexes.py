"""The table attention_indexes: what each index declares, and how its copy stands."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

LIST = (
    'SELECT "index"::text, relation::text, vector_column, attention_type, num_heads, head_dim, dtype, state'
)


@pytest.fixture
def docs(db: Connection) -> Connection:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, vec real[])")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 5) i")
    return db


def search(db: Connection) -> None:
    db.execute(
        "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,0,0,0}' AND num_heads = 2"
    )


def test_without_an_index_it_is_empty(docs: Connection) -> None:
    assert docs.execute("SELECT * FROM attention_indexes").fetchall() == []


def test_what_indexes_declare(docs: Connection) -> None:
    docs.execute("CREATE INDEX plain ON docs USING ruvector_attention (vec)")
    docs.execute(
        "CREATE INDEX said ON docs USING ruvector_attention (vec) "
        "WITH (attention_type = 'flash', num_heads = 2, head_dim = 2, dtype = 'float16')"
    )
    assert docs.execute(f"{LIST} FROM attention_indexes".encode()).fetchall() == [
        ("plain", "docs", "vec", None, None, None, "float32", "cold"),
        ("said", "docs", "vec", "flash", 2, 2, "float16", "cold"),
    ]


def test_a_search_makes_it_warm(docs: Connection) -> None:
    docs.execute("CREATE INDEX warm ON docs USING ruvector_attention (vec) INCLUDE (id)")
    facts = "SELECT rows, dim, bytes > 0, built_at <= checked_at, checked_at <= now(), hits, state"
    assert docs.execute(f"{facts} FROM attention_indexes".encode()).fetchall() == [(*[None] * 6, "cold")]
    search(docs)
    assert docs.execute("SELECT rows, dim, hits, state FROM attention_indexes").fetchall() == [
        (5, 4, 0, "warm")
    ]
    search(docs)
    assert docs.execute(f"{facts} FROM attention_indexes".encode()).fetchall() == [
        (5, 4, True, True, True, 1, "warm")
    ]


def test_a_rebuilt_index_is_cold(docs: Connection) -> None:
    docs.execute("CREATE INDEX warm ON docs USING ruvector_attention (vec) INCLUDE (id)")
    search(docs)
    docs.execute("REINDEX INDEX warm")
    assert docs.execute("SELECT state FROM attention_indexes").fetchall() == [("cold",)]


def test_indexes_of_tables_that_one_may_not_read_are_left_out(docs: Connection) -> None:
    docs.execute("CREATE INDEX warm ON docs USING ruvector_attention (vec)")
    docs.execute("SET ROLE pg_monitor")
    assert docs.execute("SELECT * FROM attention_indexes").fetchall() == []
    docs.execute("RESET ROLE; GRANT SELECT (id) ON docs TO pg_monitor; SET ROLE pg_monitor")
    assert len(docs.execute("SELECT * FROM attention_indexes").fetchall()) == 1


def test_partitioned_and_invalid_indexes(db: Connection) -> None:
    db.execute("CREATE TABLE docs (id int, vec real[]) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs1 PARTITION OF docs FOR VALUES FROM (0) TO (10)")
    db.execute("CREATE INDEX whole ON docs USING ruvector_attention (vec) INCLUDE (id)")
    assert db.execute('SELECT "index"::text, state FROM attention_indexes').fetchall() == [
        ("docs1_vec_id_idx", "cold"),
        ("whole", "partitioned"),
    ]
    db.execute("INSERT INTO docs VALUES (1, '{1,2,3,4}')")
    search(db)
    db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'docs1_vec_id_idx'::regclass")
    assert db.execute('SELECT "index"::text, state FROM attention_indexes').fetchall() == [
        ("docs1_vec_id_idx", "invalid"),
        ("whole", "partitioned"),
    ]
