"""Attention indexes built concurrently, on partitions, on unlogged and temporary tables, and in dumps."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

from .conftest import problems, stats

Connection = psycopg.Connection[Any]

CREATE = "CREATE INDEX made ON documents USING ruvector_attention (embedding)"


def test_create_index_concurrently(documents: Connection) -> None:
    documents.execute("UPDATE documents SET note = 1 WHERE id % 2 = 0")
    documents.execute(CREATE.replace("INDEX", "INDEX CONCURRENTLY", 1).encode())
    assert stats(documents, "made")[:3] == (3000, 300, 0)
    assert problems(documents, "made") == []


def test_create_index_concurrently_lists_rows_inserted_meanwhile(
    documents: Connection, connect: Callable[..., Connection]
) -> None:
    """An old snapshot keeps the build waiting, in the validation too, while rows come and go."""
    inserter, builder = connect(), connect()
    inserter.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    inserter.execute("INSERT INTO documents VALUES (-1, 0, '{1,2}')")
    builder.execute("SET statement_timeout = '60s'")
    build = started(builder, CREATE.replace("INDEX", "INDEX CONCURRENTLY", 1))
    wait_for_lock(documents, builder)
    documents.execute("INSERT INTO documents SELECT i, 0, '{1,2}' FROM generate_series(1, 2000) i")
    documents.execute("DELETE FROM documents WHERE id < 200")
    inserter.execute("COMMIT")
    build.join()
    assert problems(documents, "made") == []
    documents.execute("VACUUM documents")
    assert problems(documents, "made") == []


def started(connection: Connection, statement: str) -> Thread:
    """The statement, run in a thread."""
    thread = Thread(target=connection.execute, args=(statement.encode(),))
    thread.start()
    return thread


def wait_for_lock(observer: Connection, waiting: Connection) -> None:
    """Until that session waits for a lock."""
    query = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    for _ in range(1000):
        if observer.execute(query, (waiting.info.backend_pid,)).fetchall() == [("Lock",)]:
            return
        observer.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("the session does not wait")


def test_reindex_begins_a_new_list(documents: Connection) -> None:
    documents.execute("DELETE FROM documents WHERE id % 3 = 0")
    documents.execute("VACUUM documents")
    for statement in ("REINDEX INDEX attn", "REINDEX INDEX CONCURRENTLY attn", "VACUUM FULL documents"):
        before = stats(documents)
        documents.execute(statement)
        after = stats(documents)
        assert after.build != before.build
        assert after[:3] == (2000, 200, 0)
        assert problems(documents) == []


def test_partitions_have_indexes_of_their_own(db: Connection) -> None:
    db.execute("CREATE TABLE documents (id int, embedding real[]) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE low PARTITION OF documents FOR VALUES FROM (0) TO (100)")
    db.execute("CREATE TABLE high (embedding real[], id int)")
    db.execute("INSERT INTO high SELECT '{1,2}', i FROM generate_series(100, 199) i")
    options = " WITH (attention_type = 'cosine', num_heads = 2)"
    db.execute(f"CREATE INDEX high_attn ON high USING ruvector_attention (embedding){options}".encode())
    db.execute(f"{CREATE}{options}".encode())
    db.execute("ALTER TABLE documents ATTACH PARTITION high FOR VALUES FROM (100) TO (200)")
    db.execute("INSERT INTO documents SELECT i, '{3,4}' FROM generate_series(50, 149) i")
    tree = "SELECT relid::text FROM pg_partition_tree('made') ORDER BY 1"
    assert db.execute(tree).fetchall() == [("high_attn",), ("low_embedding_idx",), ("made",)]
    assert stats(db, "high_attn").entries == 150
    assert stats(db, "low_embedding_idx").entries == 50
    assert problems(db, "high_attn") == problems(db, "low_embedding_idx") == []
    db.execute("SELECT ruvector_drop_attention_index('made')")


def test_a_temporary_table(db: Connection) -> None:
    db.execute("CREATE TEMPORARY TABLE documents (id int, embedding real[])")
    db.execute(CREATE.encode())
    db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 3000) i")
    db.execute("DELETE FROM documents WHERE id > 2000")
    db.execute("VACUUM documents")
    assert stats(db, "made")[:4] == (3000, 0, 1000, 4)
    assert problems(db, "made") == []


def test_a_table_truncated_in_the_transaction_that_made_it(db: Connection) -> None:
    with db.transaction():
        db.execute("CREATE TABLE documents (id int, embedding real[])")
        db.execute(CREATE.encode())
        db.execute("INSERT INTO documents SELECT i, '{1,2}' FROM generate_series(1, 3000) i")
        before = stats(db, "made")
        db.execute("TRUNCATE documents")
        db.execute("INSERT INTO documents VALUES (1, '{1,2}')")
        after = stats(db, "made")
    assert after.build != before.build
    assert (after.entries, after.blocks) == (1, 2)
    assert problems(db, "made") == []


def test_like_and_clone(documents: Connection) -> None:
    documents.execute("ALTER INDEX attn SET (attention_type = 'flash', num_heads = 2)")
    documents.execute("CREATE TABLE twin (LIKE documents INCLUDING INDEXES)")
    assert documents.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'twin'").fetchall() == [
        (
            "CREATE INDEX twin_embedding_id_idx ON public.twin USING ruvector_attention (embedding)"
            " INCLUDE (id) WITH (attention_type=flash, num_heads='2')",
        )
    ]


def run(server: Server, program: str, *arguments: str, text: str | None = None) -> str:
    command = [server.installation.program(program), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dump_restores_it_even_where_the_mechanism_is_switched_off(
    server: Server, database: str, documents: Connection
) -> None:
    documents.execute("ALTER INDEX attn SET (attention_type = 'poincare', num_heads = 2, dtype = 'int8')")
    before = documents.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'attn'").fetchall()
    script = run(server, "pg_dump", server.uri(database))
    documents.execute("CREATE DATABASE restored TEMPLATE template0")
    try:
        documents.execute("ALTER DATABASE restored SET ruattn_fdw.features = 'attention'")
        run(server, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", server.uri("restored"), text=script)
        with psycopg.connect(server.uri("restored"), autocommit=True) as restored:
            found = restored.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'attn'").fetchall()
            assert found == before
            assert stats(restored)[:3] == (3000, 300, 0)
            assert problems(restored) == []
    finally:
        documents.execute("DROP DATABASE restored WITH (FORCE)")


@pytest.mark.starts_python
def test_loading_the_options_starts_no_interpreter(
    documents: Connection, connect: Callable[..., Connection]
) -> None:
    documents.execute("ALTER INDEX attn SET (attention_type = 'flash', num_heads = 2)")
    fresh = connect()
    fresh.execute("INSERT INTO documents VALUES (1, 0, '{1,2}')")
    assert not has_numpy(fresh)
    assert has_numpy(documents), "the session that declared them"


def has_numpy(connection: Connection) -> bool:
    return "_multiarray_umath" in Path(f"/proc/{connection.info.backend_pid}/maps").read_text()
