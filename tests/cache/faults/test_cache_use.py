"""When a copy is made, used, brought up to date, or not used at all, as EXPLAIN (ANALYZE) says it."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Ask = Callable[..., str]


@pytest.mark.parametrize("index", [False, True], ids=["no index", "index"])
def test_a_table_that_changes(docs: Connection, connect: Connect, ask: Ask, index: bool) -> None:
    if index:
        docs.execute("CREATE INDEX ON docs USING ruvector_attention (v) INCLUDE (id)")
    other = connect()
    assert ask(docs) == "built"
    assert ask(docs) == ask(other) == ask(connect()) == "hit"
    docs.execute("UPDATE docs SET v = v WHERE id = 3; INSERT INTO docs SELECT 3000, v FROM docs WHERE id = 1")
    assert ask(other) == "refreshed"
    assert ask(other) == ask(docs) == "hit"
    docs.execute("DELETE FROM docs WHERE id % 2 = 0")
    assert ask(other) == ask(docs) == "hit"
    docs.execute("VACUUM docs")
    ask(docs)
    assert ask(other) == ask(docs) == "hit"
    docs.execute("VACUUM FULL docs")
    ask(docs)
    assert ask(other) == "hit"


def test_transactions_share_a_copy(docs: Connection, connect: Connect, ask: Ask) -> None:
    """One that sees old rows, one that sees its own, and one that sees what is committed."""
    old, writer = connect(), connect()
    assert ask(docs) == "built"
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    docs.execute("DELETE FROM docs WHERE id > 1000")
    statement = "SELECT count(*) FROM mha_search WHERE table_name = 'docs' AND query_id = 7 AND num_heads = 1"
    writer.execute("BEGIN; DELETE FROM docs WHERE id > 100")
    for _ in range(2):
        counts = [session.execute(statement).fetchall()[0][0] for session in (old, writer, docs)]
        assert counts == [2000, 100, 1000]
    assert ask(docs) == "hit"


def test_what_is_never_kept(docs: Connection, ask: Ask) -> None:
    docs.execute("""
        CREATE TEMP TABLE temporary AS TABLE docs;
        CREATE VIEW viewed AS SELECT id, v || '{}' AS v FROM docs;
        CREATE TABLE partly AS SELECT id, CASE WHEN id % 2 = 0 THEN v ELSE v[1:8] END AS v FROM docs
    """)
    session = docs
    for table in ("temporary", "viewed"):
        plan = session.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM mha_search WHERE table_name = '{table}' "
            "AND query_id = 7 AND num_heads = 1".encode()
        ).fetchall()[0][0][0]["Plan"]
        assert str(plan["Cache Use"]).startswith("none")
    session.execute("BEGIN; CREATE TABLE brief AS TABLE docs")
    plan = session.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM mha_search WHERE table_name = 'brief' "
        "AND query_id = 7 AND num_heads = 1"
    ).fetchall()[0][0][0]["Plan"]
    assert str(plan["Cache Use"]).startswith("none")
    session.execute("ROLLBACK")


def test_the_file_is_private_and_says_nothing(server: Server, stored: Path) -> None:
    assert re.fullmatch(r"pgsql_tmp_ruattn_[0-9a-f]{16}", stored.name)
    status = stored.stat()
    assert status.st_mode & 0o777 == 0o600
    assert (status.st_uid, status.st_nlink) == (server.account.uid, 1)
    assert stored.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [2, 20])
def test_many_sessions_make_one_file(
    docs: Connection, connect: Connect, files: Callable[[], set[Path]], ask: Ask, number: int
) -> None:
    sessions = [connect() for _ in range(number)]
    before = files()
    together = threading.Barrier(number)
    statement = "SELECT count(*) FROM mha_search WHERE table_name = 'docs' AND query_id = 7 AND num_heads = 1"
    answers: list[Any] = []

    def search(session: Connection) -> None:
        together.wait()
        answers.extend(session.execute(statement).fetchall())

    threads = [threading.Thread(target=search, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [(2000,)] * number
    assert len(files() - before) == 1
    assert {ask(session) for session in sessions} == {"hit"}
