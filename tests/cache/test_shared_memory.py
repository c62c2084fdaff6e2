"""Sessions that search one table hold its vectors once, not once each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

ROWS, DIMENSIONS, SESSIONS = 10_000, 768, 20
MATRIX = ROWS * DIMENSIONS * 4 / 2**20
TABLES = f"""
CREATE TABLE docs AS
SELECT n AS id, array_fill(n::real, ARRAY[{DIMENSIONS}]) AS v FROM generate_series(1, {ROWS}) n;
CREATE TABLE few AS SELECT * FROM docs WHERE id <= 10
"""
INDEX = "CREATE INDEX ON docs USING ruvector_attention (v) INCLUDE (id)"
SEARCH = "SELECT id FROM mha_search WHERE table_name = '{}' AND query_id = 7 AND num_heads = 1"


def memory(sessions: list[Connection]) -> float:
    """MiB of their own and of files, each page divided by the number of those who share it."""
    kilobytes = 0
    for session in sessions:
        for line in Path(f"/proc/{session.info.backend_pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_File:")):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def memory_of_searches(sessions: list[Connection], table: str) -> float:
    """MiB while each session is in the midst of a search of that table."""
    for session in sessions:
        session.execute(f"BEGIN; DECLARE found CURSOR FOR {SEARCH.format(table)}".encode())
        assert len(session.execute("FETCH 1 FROM found").fetchall()) == 1
    used = memory(sessions)
    for session in sessions:
        session.execute("COMMIT")
    return used


@pytest.mark.slow
@pytest.mark.parametrize("index", ["SELECT", INDEX], ids=["row versions", "index"])
def test_twenty_sessions_share_one_copy(db: Connection, connect: Connect, index: str) -> None:
    for statement in (TABLES, index):
        db.execute(statement.encode())
    sessions = [connect() for _ in range(SESSIONS)]
    before = memory_of_searches(sessions, "few")
    for change in ("SELECT", "UPDATE docs SET v = v WHERE id % 100 = 1", "VACUUM docs"):
        db.execute(change.encode())
        # one copy, and little for each session: what finds the rows in it, and the answer
        assert memory_of_searches(sessions, "docs") - before < 4 * MATRIX, change


@pytest.mark.slow
@pytest.mark.parametrize("index", ["SELECT", INDEX], ids=["row versions", "index"])
def test_who_built_a_copy_keeps_little_of_what_it_read(db: Connection, connect: Connect, index: str) -> None:
    for statement in (TABLES, index):
        db.execute(statement.encode())
    builder, other = (connect() for _ in range(2))
    for table in ("few", "docs"):
        for session in (builder, other):
            session.execute(SEARCH.format(table).encode())
    own = [resident(session) for session in (builder, other)]
    assert own[0] - own[1] < MATRIX / 10


def resident(session: Connection) -> float:
    """MiB of a session's own."""
    lines = Path(f"/proc/{session.info.backend_pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:"))) / 1024
