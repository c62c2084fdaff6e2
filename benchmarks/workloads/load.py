"""Many connections that search a table while it changes: stale answers, waiting, memory; then reconnects."""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from bench_server import Connection, Server, connect, embeddings, load_embeddings
from workload import Figure, Workload

CONNECTIONS, SECONDS, RECONNECTS = 50, 20, 500
UPDATE_PAUSE, UPDATES_A_VACUUM = 0.05, 40
HEADS, DIMENSIONS, SIZE, VERSIONS = 8, 384, 260, 60
WIDTH = DIMENSIONS // HEADS
KINDS = ("Anon", "File", "Shmem")

# a marker's first component is SIZE, its second its version; what asks for it is 1 in both
MARKED = f"({SIZE} + b.version)"
COSINE = f"{MARKED} / (sqrt(2) * sqrt({SIZE}^2 + b.version^2)) / 0.1"
SEARCH = (
    "SELECT s.id = %(marker)s AND abs(s.logit - {logit}) < 0.001 FROM mha_search s JOIN words b USING (id) "
    "WHERE s.table_name = 'words' AND s.query = (SELECT embedding FROM asks WHERE id = %(marker)s) "
    "AND s.k = 1 AND {parameters}"
)
STATEMENTS = {
    "multi_head": SEARCH.format(
        logit=f"{MARKED} / {HEADS * math.sqrt(WIDTH)}", parameters=f"s.num_heads = {HEADS}"
    ),
    "cosine": SEARCH.format(logit=COSINE, parameters="s.attention_type = 'cosine'"),
    "candidates": SEARCH.format(
        logit=f"{MARKED} / {math.sqrt(DIMENSIONS)}",
        parameters="s.attention_type = 'scaled_dot' AND s.candidates = %(candidates)s::bigint[]",
    ),
    "cross_attention": "SELECT bool_and(s.doc_id = s.query_id AND abs(s.logit - "
    f"{MARKED} / {math.sqrt(DIMENSIONS)}) < 0.001) AND count(*) = {HEADS} FROM cross_attention s "
    "JOIN words b ON b.id = s.doc_id WHERE s.query_table = 'asks' AND s.document_table = 'words' AND s.k = 1",
    "attention": f"SELECT abs(s.output[%(place)s] / s.output[%(place)s - 1] * {SIZE} - b.version) < 0.3 "
    "FROM attention s, words b WHERE b.id = %(marker)s AND s.table_name = 'words' "
    "AND s.query = (SELECT embedding FROM asks WHERE id = %(marker)s)",
}
UPDATE = """
UPDATE words SET version = (version + 1) %% {versions}, embedding =
CASE WHEN id > 0 THEN embedding ELSE marker(-id::int, {size}, (version + 1) %% {versions}) END
WHERE id <= 0 OR id BETWEEN %(first)s AND %(first)s + 19
"""
MARKERS = f"""
CREATE FUNCTION marker(number int, first real, second real) RETURNS real[] IMMUTABLE RETURN
array_fill(0::real, ARRAY[number * {WIDTH}]) || ARRAY[first, second]
|| array_fill(0::real, ARRAY[{DIMENSIONS - 2} - number * {WIDTH}]);
ALTER TABLE words ADD version int DEFAULT 0;
INSERT INTO words SELECT -n, marker(n, {SIZE}, 0) FROM generate_series(0, {HEADS - 1}) n;
CREATE TABLE asks AS
SELECT -n::bigint AS id, marker(n, 1, 1) AS embedding FROM generate_series(0, {HEADS - 1}) n;
CREATE TABLE tiny AS TABLE asks;
VACUUM FULL ANALYZE words
"""
INDEX = "CREATE INDEX ON words USING ruvector_attention (embedding) INCLUDE (id)"
TINY = "SELECT id FROM mha_search WHERE table_name = 'tiny' AND query_id = 0 AND k = 1"


@dataclass
class Tally:
    """What came of all searches."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    updates: int = 0


@dataclass(frozen=True)
class Memory:
    """MiB of backends' own memory, of files, of shared buffers; a page is divided by those who share it."""

    anon: float
    file: float
    shmem: float

    @staticmethod
    def of(pids: list[int]) -> Memory:
        """Of these backends together."""
        sums = dict.fromkeys(KINDS, 0)
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                for kind in KINDS:
                    if line.startswith(f"Pss_{kind}:"):
                        sums[kind] += int(line.split()[1])
        return Memory(*(sums[kind] / 1024 for kind in KINDS))


def search(session: Connection, tally: Tally, number: int, until: float) -> None:
    """Search at random until it is time; each statement compares its answer with the row that SQL sees."""
    chance = random.Random(number)
    while time.monotonic() < until:
        kind, marker = chance.choice(list(STATEMENTS)), chance.randrange(HEADS)
        others = [chance.randrange(1, 4000) for _ in range(100)]
        values = {"marker": -marker, "place": marker * WIDTH + 2, "candidates": [-marker, *others]}
        start = time.perf_counter()
        try:
            answer = session.execute(STATEMENTS[kind].encode(), values).fetchall()
        except psycopg.Error as error:
            tally.errors.append(f"{kind}: {error}")
            continue
        tally.milliseconds.append((time.perf_counter() - start) * 1000)
        if answer != [(True,)]:
            tally.stale.append(f"{kind}: {answer}")


def change(session: Connection, tally: Tally, until: float) -> None:
    """Update the markers and 20 rows more in each transaction, and run VACUUM now and then."""
    chance = random.Random(-1)
    update = UPDATE.format(versions=VERSIONS, size=SIZE).encode()
    while time.monotonic() < until:
        try:
            session.execute(update, {"first": chance.randrange(1, 3980)})
        except psycopg.Error as error:
            tally.errors.append(f"update: {error}")
        tally.updates += 1
        if tally.updates % UPDATES_A_VACUUM == 0:
            session.execute("VACUUM words")
        time.sleep(UPDATE_PAUSE)


def mixed(sessions: list[Connection], changer: Connection, seconds: float) -> tuple[Tally, Memory]:
    """All sessions at once for so long: what came of it, and the most memory that they had together."""
    tally, until = Tally(), time.monotonic() + seconds
    pids = [session.info.backend_pid for session in sessions]
    work: list[Callable[[], None]] = [lambda: change(changer, tally, until)]
    for number, session in enumerate(sessions):
        work.append(lambda session=session, number=number: search(session, tally, number, until))  # type: ignore[misc]
    threads = [threading.Thread(target=part) for part in work]
    for thread in threads:
        thread.start()
    most = Memory(0, 0, 0)
    while time.monotonic() < until:
        time.sleep(1)
        most = max(most, Memory.of(pids), key=lambda memory: memory.anon + memory.file)
    for thread in threads:
        thread.join()
    return tally, most


def reconnect(running: Server, _: int) -> float:
    """Milliseconds to connect, search and leave."""
    start = time.perf_counter()
    with connect(running) as session:
        row = session.execute(STATEMENTS["multi_head"].encode(), {"marker": 0}).fetchall()
    assert row == [(True,)], "a stale answer after a reconnect"
    return (time.perf_counter() - start) * 1000


def left_over(running: Server) -> dict[str, int]:
    """Files of copies, backends and locks of theirs that are there."""
    with connect(running) as session:
        count = "SELECT count(*) FROM {} WHERE pid <> pg_backend_pid()"
        backends = f"{count.format('pg_stat_activity')} AND backend_type = 'client backend'"
        return {
            "files": len(list(copies(running))),
            "backends": session.execute(backends.encode()).fetchone()[0],
            "locks": session.execute(count.format("pg_locks").encode()).fetchone()[0],
        }


def copies(running: Server) -> list[Path]:
    """The copies, and what is being built."""
    return list(Path(running.data, "base", "pgsql_tmp").glob("pgsql_tmp_ruattn*"))


def storm(running: Server) -> list[Figure]:
    """Connections that come, search once and go, 50 at a time."""
    before = left_over(running)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        spent = sorted(pool.map(lambda number: reconnect(running, number), range(RECONNECTS)))
    deadline = time.monotonic() + 10
    while (after := left_over(running)) != before and time.monotonic() < deadline:
        time.sleep(0.1)
    return [
        Figure(f"{RECONNECTS} reconnects, p50", statistics.median(spent), "ms"),
        Figure(f"{RECONNECTS} reconnects, p99", spent[len(spent) * 99 // 100], "ms"),
        *(Figure(f"{what} more after them", after[what] - before[what], "", "0") for what in after),
    ]


def loaded(running: Server, sessions: list[Connection], changer: Connection, name: str) -> list[Figure]:
    """The figures of some time of mixed searches."""
    pids = [session.info.backend_pid for session in sessions]
    for session in sessions:
        session.execute(TINY).fetchall()
    idle = Memory.of(pids)
    tally, most = mixed(sessions, changer, SECONDS)
    rest, spent = Memory.of(pids), sorted(tally.milliseconds)
    copy = max(file.stat().st_size for file in copies(running)) / 2**20
    for problem in (*tally.errors[:3], *tally.stale[:3]):
        print(problem)

    def more(memory: Memory) -> float:
        return memory.anon + memory.file - idle.anon - idle.file

    return [
        Figure(f"{name}: searches", len(spent), ""),
        Figure(f"{name}: updates", tally.updates, ""),
        Figure(f"{name}: p50", statistics.median(spent), "ms"),
        Figure(f"{name}: p99", spent[len(spent) * 99 // 100], "ms"),
        Figure(f"{name}: errors", len(tally.errors), "", "0"),
        Figure(f"{name}: stale answers", len(tally.stale), "", "0"),
        Figure(f"{name}: {len(sessions)} idle backends, own", idle.anon, "MiB"),
        Figure(f"{name}: idle, files", idle.file, "MiB"),
        Figure(f"{name}: more at most, own and files", more(most), "MiB", f"<= {copy:.0f}, one copy"),
        Figure(f"{name}: of it own", most.anon - idle.anon, "MiB"),
        Figure(f"{name}: more afterwards, own and files", more(rest), "MiB", f"<= {copy:.0f}, one copy"),
        Figure(f"{name}: of it own", rest.anon - idle.anon, "MiB"),
        Figure(f"{name}: shared buffers", rest.shmem, "MiB"),
    ]


def load(running: Server) -> Workload:
    """Without an attention index, with one, and connections that come and go. Shared pages count in parts."""
    connection = connect(running)
    connection.execute("DROP TABLE IF EXISTS words, words_vector, asks, tiny")
    load_embeddings(connection, embeddings())
    for statement in MARKERS.split(";\n"):
        connection.execute(statement.encode())

    def measured(name: str) -> list[Figure]:
        sessions: list[Any] = [connect(running) for _ in range(CONNECTIONS)]
        try:
            return loaded(running, sessions, connection, name)
        finally:
            for session in sessions:
                session.close()

    def figures() -> list[Figure]:
        found = measured("no index")
        connection.execute(INDEX)
        connection.execute("VACUUM words")
        return [*found, *measured("index"), *storm(running)]

    return Workload(f"load of {CONNECTIONS} connections for {SECONDS} s", [], figures=figures)
