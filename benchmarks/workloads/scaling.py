"""How a search grows with rows, threads and connections: mha_search, 8 heads, top 10, over warm copies.

Rows are real embeddings as far as there are any, else generated; 768 dimensions are generated.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
from bench_server import Connection, Server, connect, copy_rows, embeddings, generated, in_blocks
from peers import exact
from workload import LIMIT, OURS, Contender, Timing, Workload, measure

from workloads.search import SEARCH, expected_ids, ids, session

ROWS = (10_000, 30_000, 117_659, 1_000_000)
WIDE = (100_000, 768)
CONNECTIONS = (1, 10, 50)
SECONDS, ROUNDS = 1.5, 9
STATEMENT = SEARCH.format(table="scaled")


def rows_of(count: int, real: np.ndarray) -> np.ndarray:
    """So many rows of 384 floats: the first real ones, or generated ones."""
    return real[:count] if count <= len(real) else generated(count, real.shape[1])


def load(connection: Connection, matrix: np.ndarray) -> None:
    """Table scaled with an attention index."""
    connection.execute("DROP TABLE IF EXISTS scaled")
    copy_rows(connection, "scaled", in_blocks(matrix))
    connection.execute("CREATE INDEX ON scaled USING ruvector_attention (embedding) INCLUDE (id)")
    connection.execute("VACUUM ANALYZE scaled")


def flow(sessions: list[Connection], name: str, rows: int) -> Timing:
    """All sessions search, each one query after the other, for some time: their waits and their rate."""
    spent: list[float] = []
    start = time.perf_counter()

    def work(on: Connection) -> None:
        while True:
            asked = time.perf_counter()
            _search(on)
            answered = time.perf_counter()
            spent.append((answered - asked) * 1000)
            if answered - start >= SECONDS:
                return

    threads = [threading.Thread(target=work, args=(on,)) for on in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(spent) / (time.perf_counter() - start)
    return replace(Timing.of(name, spent, rows, OURS), connections=len(sessions), per_second=rate)


def alone(sessions: list[Connection], matrix: np.ndarray) -> list[Timing]:
    """One caller: a search with each number of threads and the bare product, taking turns."""
    rows, dimensions = matrix.shape
    contenders = []
    for threads, on in zip(exact.THREADS, sessions, strict=False):
        on.execute(f"SET ruattn_fdw.threads = {threads}".encode())
        name = _series(threads, dimensions)
        contenders.append(Contender(name, partial(_search, on), rows, kind=OURS))
    for product in exact.products(matrix):
        name = f"{product.name.replace(', numpy', '')}, {dimensions} dimensions"
        contenders.append(Contender(name, product.run, rows, kind=LIMIT))
    timings = measure(Workload("", contenders, rounds=ROUNDS, repeat=True))
    return [replace(timing, per_second=1000 / timing.median) for timing in timings]


def _search(on: Connection) -> None:
    ids(on, STATEMENT)


def _series(threads: int, dimensions: int) -> str:
    return f"mha_search, {exact.named(threads)}, {dimensions} dimensions"


def of_size(sessions: list[Connection], admin: Connection, matrix: np.ndarray) -> list[Timing]:
    """One table: the answer is checked in every session, then one caller, then threads times connections."""
    rows, dimensions = matrix.shape
    load(admin, matrix)
    expected = expected_ids(matrix)
    for on in sessions:
        assert ids(on, STATEMENT) == expected, f"mha_search of {rows:,} rows differs from float64"
    timings = alone(sessions, matrix)
    for threads in exact.THREADS:
        for on in sessions:
            on.execute(f"SET ruattn_fdw.threads = {threads}".encode())
        name = _series(threads, dimensions)
        timings += [flow(sessions[:count], name, rows) for count in CONNECTIONS[1:]]
    return timings


def scaling(running: Server) -> Workload:
    """Every size with 1 and 2 threads and 1, 10 and 50 connections, and the bare product at each size."""
    admin, real = connect(running), embeddings()

    def timings() -> list[Timing]:
        sessions = [session(running, ruattn_fdw__max_memory="'8GB'") for _ in range(max(CONNECTIONS))]
        found = []
        try:
            for count in ROWS:
                found += of_size(sessions, admin, rows_of(count, real))
            found += of_size(sessions, admin, generated(*WIDE))
        finally:
            for on in sessions:
                on.close()
            admin.execute("DROP TABLE IF EXISTS scaled")
        return found

    generated_from = next((count for count in ROWS if count > len(real)), None)
    note = (
        "all rows are real embeddings"
        if generated_from is None
        else f"from {generated_from:,} on rows are generated"
    )
    return Workload(
        "mha_search, 8 heads, top 10: rows, threads, connections",
        [],
        timings=timings,
        notes=[f"{note}; 768 dimensions are generated; each time is a whole query seen from the client."],
    )
