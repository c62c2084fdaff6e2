"""Sessions of a standby search while the primary writes, vacuums and makes indexes anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from tables import TABLES

Connection = psycopg.Connection[Any]
Replica = Callable[[], Connection]

CHANGES, ROWS = 150, 200
# two rows change their vectors together, so that the sum of all logits stays 0
CHANGE = (
    "UPDATE {0} SET vec = ARRAY[CASE WHEN id = {1} THEN {2} ELSE -{2} END, 0]::real[] "
    "WHERE id IN ({1}, {1} + 1)"
)
TOTAL = (
    "SELECT sum(logit::numeric), count(*) FROM mha_search WHERE table_name = '{0}' AND query = '{{1,0}}' "
    f"AND num_heads = 1 AND k = {ROWS}"
)


def write(session: Connection) -> None:
    """Change all tables again and again."""
    for number in range(1, CHANGES + 1):
        for name in TABLES.names:
            session.execute(CHANGE.format(name, number % 50 * 2 + 1, number).encode())
        if number % 20 == 0:
            TABLES.run(session, "VACUUM docs")
        if number % 70 == 0:
            session.execute("REINDEX INDEX CONCURRENTLY attn_int8")


def read(uri: str, table: str, stop: threading.Event, wrong: list[Any]) -> int:
    """Search until told to stop, count answers. Conflicts with replay end sessions, or their start."""
    answers = 0
    while not stop.is_set():
        with suppress(psycopg.OperationalError), psycopg.connect(uri, autocommit=True) as session:
            while not (stop.is_set() or session.closed):
                try:
                    found = session.execute(TOTAL.format(table).encode()).fetchall()
                except psycopg.OperationalError:
                    continue
                answers += 1
                if found != [(0, ROWS)]:
                    wrong.append((table, found))
    return answers


def test_readers_of_a_standby(db: Connection, replica: Replica) -> None:
    TABLES.run(db, "CREATE TABLE docs (id int, vec real[])")
    TABLES.run(db, f"INSERT INTO docs SELECT i, '{{0,0}}' FROM generate_series(1, {ROWS}) i")
    TABLES.index(db)
    uri = replica().info.dsn
    stop, wrong = threading.Event(), list[Any]()
    with ThreadPoolExecutor(len(TABLES.names)) as pool:
        readers = [pool.submit(read, uri, name, stop, wrong) for name in TABLES.names]
        try:
            write(db)
        finally:
            stop.set()
    assert wrong == []
    for reader in readers:
        assert reader.result() > 0
