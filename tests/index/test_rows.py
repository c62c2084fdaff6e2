"""Which rows an attention index lists, after each way in which rows come and go."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .conftest import problems, stats

Connection = psycopg.Connection[Any]


def test_a_build_lists_every_row(documents: Connection) -> None:
    found = stats(documents)
    assert (found.entries, found.nulls, found.dead) == (3000, 300, 0)
    assert found.build
    assert found.epoch
    assert problems(documents) == []


def test_an_empty_table_has_an_empty_index(db: Connection) -> None:
    db.execute("CREATE TABLE documents (embedding real[])")
    db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")
    assert stats(db)[:4] == (0, 0, 0, 1)
    db.execute("INSERT INTO documents VALUES ('{1}'), (NULL)")
    assert stats(db)[:4] == (2, 1, 0, 2)
    assert problems(db) == []


def test_insertions_append(documents: Connection) -> None:
    before = stats(documents)
    documents.execute("INSERT INTO documents SELECT i, 0, '{1,2}' FROM generate_series(1, 5000) i")
    documents.execute("INSERT INTO documents VALUES (0, 0, NULL)")
    after = stats(documents)
    assert (after.entries, after.nulls) == (8001, 301)
    assert (after.build, after.epoch) == (before.build, before.epoch)
    assert after.blocks == 7
    assert problems(documents) == []


def test_a_hot_update_leaves_it_alone(documents: Connection) -> None:
    with documents.transaction():
        documents.execute("UPDATE documents SET note = 1 WHERE id = 3000")
        hot = "SELECT pg_stat_get_xact_tuples_hot_updated('documents'::regclass)"
        assert documents.execute(hot).fetchall() == [(1,)]
    assert stats(documents).entries == 3000
    assert problems(documents) == []


def test_an_update_of_an_included_column_makes_a_new_entry(documents: Connection) -> None:
    documents.execute("UPDATE documents SET id = -id WHERE id = 3000")
    assert stats(documents).entries == 3001
    assert problems(documents) == []


def test_an_update_of_the_vector_makes_a_new_entry(documents: Connection) -> None:
    documents.execute("UPDATE documents SET embedding = NULL WHERE id < 10")
    assert stats(documents)[:3] == (3009, 309, 0)
    assert problems(documents) == []


def test_vacuum_marks_removed_rows_where_they_are(documents: Connection) -> None:
    before = stats(documents)
    documents.execute("DELETE FROM documents WHERE id % 4 = 0")
    assert stats(documents) == before
    documents.execute("VACUUM documents")
    after = stats(documents)
    assert (after.entries, after.nulls, after.dead) == (3000, 150, 750)
    assert after.build == before.build
    assert after.epoch != before.epoch
    documents.execute("INSERT INTO documents SELECT i, 0, '{1,2}' FROM generate_series(1, 750) i")
    assert stats(documents).entries == 3750, "freed addresses get new entries"
    assert problems(documents) == []


def test_parallel_vacuum(documents: Connection) -> None:
    documents.execute("CREATE INDEX other ON documents USING ruvector_attention (embedding)")
    documents.execute("SET min_parallel_index_scan_size = 0")
    documents.execute("DELETE FROM documents WHERE id % 4 = 0")
    documents.execute("VACUUM (PARALLEL 2) documents")
    for index in ("attn", "other"):
        assert stats(documents, index).dead == 750
        assert problems(documents, index) == []


def test_vacuum_without_removal_keeps_the_epoch(documents: Connection) -> None:
    before = stats(documents)
    documents.execute("VACUUM documents")
    assert stats(documents) == before


def test_vacuum_counts_the_live_entries(documents: Connection) -> None:
    documents.execute("DELETE FROM documents WHERE id % 4 = 0")
    documents.execute("VACUUM documents")
    documents.execute("VACUUM (ANALYZE) documents")
    assert documents.execute(
        "SELECT reltuples, relpages FROM pg_class WHERE relname = 'attn'"
    ).fetchall() == [(2250, 4)]


def test_aborted_rows_go_with_the_next_vacuum(documents: Connection) -> None:
    with documents.transaction(force_rollback=True):
        documents.execute("INSERT INTO documents SELECT i, 0, '{1,2}' FROM generate_series(1, 100) i")
    assert stats(documents)[:3] == (3100, 300, 0)
    assert problems(documents) == []
    documents.execute("VACUUM documents")
    assert stats(documents)[:3] == (3100, 300, 100)
    assert problems(documents) == []


def test_truncate_begins_a_new_list(documents: Connection) -> None:
    before = stats(documents)
    documents.execute("TRUNCATE documents")
    after = stats(documents)
    assert after.entries == 0
    assert after.build != before.build


@pytest.mark.usefixtures("pgvector")
def test_every_vector_type(db: Connection) -> None:
    db.execute("CREATE EXTENSION ruattn_fdw_pgvector CASCADE")
    for kind in ("double precision[]", "vector", "halfvec", "vector(4)"):
        db.execute(f"CREATE TABLE documents (embedding {kind})".encode())
        db.execute(f"INSERT INTO documents VALUES (ARRAY[1,2,3,4]::real[]::{kind}), (NULL)".encode())
        db.execute(
            "CREATE INDEX attn ON documents USING ruvector_attention (embedding)"
            " WITH (num_heads = 2, head_dim = 2)"
        )
        db.execute(f"INSERT INTO documents VALUES (ARRAY[1,2,3,4]::real[]::{kind})".encode())
        assert stats(db)[:3] == (3, 1, 0)
        assert problems(db) == []
        db.execute("DROP TABLE documents")
