"""Many sessions that ask for the same, or one that asks for long, are answered and leave nothing behind."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

TABLE = """
CREATE TABLE docs AS
SELECT n AS id, (SELECT array_agg(sin(n * 64 + d)::real) FROM generate_series(1, 64) d) AS v
FROM generate_series(1, 5000) n
"""
SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = 'docs' AND query_id = 7 AND num_heads = 2 AND k = 5"
)
WARM_UP, QUERIES = 200, 1000


def ask_all(sessions: list[Connection]) -> list[Any]:
    """The answers of sessions that ask at the same time."""
    answers: list[Any] = []
    together = threading.Barrier(len(sessions))

    def ask(session: Connection) -> None:
        together.wait()
        answers.append(session.execute(SEARCH).fetchall())

    threads = [threading.Thread(target=ask, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 20])
def test_sessions_that_ask_for_the_same_cold_table(connect: Connect, db: Connection, number: int) -> None:
    db.execute(TABLE)
    sessions = [connect() for _ in range(number)]
    answers = ask_all(sessions)
    assert len(answers) == number
    assert all(answer == answers[0] for answer in answers)
    db.execute("UPDATE docs SET v = (SELECT array_agg(-x) FROM unnest(v) x) WHERE id <> 7")
    answers = ask_all(sessions)
    assert len(answers) == number
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "index", ["SELECT", "CREATE INDEX ON docs USING ruvector_attention (v) INCLUDE (id)"]
)
def test_readers_while_others_write_and_vacuum(connect: Connect, db: Connection, index: str) -> None:
    """Each search sees the sum that every commit keeps: two rows change their vectors together."""
    db.execute("CREATE TABLE docs AS SELECT i AS id, '{0,0}'::real[] AS v FROM generate_series(1, 200) i")
    db.execute(index.encode())
    total = (
        "SELECT sum(logit::numeric), count(*) FROM mha_search"
        " WHERE table_name = 'docs' AND query = '{1,0}' AND num_heads = 1"
    )
    stop = threading.Event()
    failures: list[object] = []

    def write(session: Connection, first: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            session.execute(
                "UPDATE docs SET v = ARRAY[CASE WHEN id = %(a)s THEN %(n)s ELSE -%(n)s END, 0]::real[]"
                " WHERE id IN (%(a)s, %(a)s + 1)",
                {"a": first, "n": number},
            )
            if number % 50 == 0:
                session.execute("VACUUM docs")

    def read(session: Connection) -> None:
        for _ in range(300):
            answer = session.execute(total.encode()).fetchall()
            if answer != [(0, 200)]:
                failures.append(answer)

    writers = [threading.Thread(target=write, args=(connect(), first)) for first in (10, 20)]
    readers = [threading.Thread(target=read, args=(connect(),)) for _ in range(3)]
    for thread in (*writers, *readers):
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    for thread in writers:
        thread.join()
    assert failures == []


def resident(pid: int) -> int:
    """Memory of the session's own in kB: files that all share do not count."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))


def check_flat(session: Connection, step: Callable[[int], None], growth: float = 0.05) -> None:
    """Memory, mappings and open files stay as they are after the warm-up, memory but for `growth`."""
    pid = session.info.backend_pid

    def state() -> tuple[int, int, int]:
        mappings = Path(f"/proc/{pid}/maps").read_text().count("\n")
        return resident(pid), mappings, len(os.listdir(f"/proc/{pid}/fd"))

    for number in range(WARM_UP):
        step(number)
    memory, mappings, descriptors = state()
    for number in range(QUERIES):
        step(number)
    after = state()
    assert after[0] <= memory * (1 + growth)
    assert after[1] <= mappings + 2
    # the server keeps files of its catalogues open
    assert after[2] <= descriptors + 10


@pytest.mark.slow
def test_a_thousand_warm_searches(db: Connection) -> None:
    db.execute(TABLE)
    check_flat(db, lambda number: db.execute(SEARCH).fetchall() and None)


@pytest.mark.slow
def test_a_thousand_searches_of_a_table_that_changes(db: Connection, connect: Connect) -> None:
    """Rows, files and columns change under the session."""
    db.execute(TABLE)
    db.execute("DELETE FROM docs WHERE id > 500")
    other = connect()
    changes = (
        "UPDATE docs SET v = v WHERE id % 50 = 0",
        "INSERT INTO docs SELECT 1000 + id, v FROM docs WHERE id = 1; DELETE FROM docs WHERE id > 1000",
        "VACUUM docs",
        "VACUUM FULL docs",
        "ALTER TABLE docs ALTER v TYPE real[] USING v || v[1:0]",
    )

    def step(number: int) -> None:
        if number % 4 == 0:
            other.execute(changes[number // 4 % len(changes)].encode())
        assert len(db.execute(SEARCH).fetchall()) == 5

    check_flat(db, step)


@pytest.mark.slow
def test_a_thousand_tables(db: Connection) -> None:
    """Each searched by one session and dropped; PostgreSQL itself remembers a little of each."""

    def step(number: int) -> None:
        db.execute(f"CREATE TABLE t{number} AS SELECT 7 AS id, ARRAY[1, {number}]::real[] AS v".encode())
        statement = SEARCH.replace("'docs'", f"'t{number}'")
        assert len(db.execute(statement.encode()).fetchall()) == 1
        db.execute(f"DROP TABLE t{number}".encode())

    check_flat(db, step, growth=0.2)
