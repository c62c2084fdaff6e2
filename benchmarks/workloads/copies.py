"""What copies of vectors cost: proofs, updates, builds, and the attention index while rows come in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_server import Connection, Server, add_spi_loop, connect, embeddings, load_embeddings
from workload import Contender, Workload

from workloads.search import SEARCH, expected_ids
from workloads.writing import INDEXES, copying, inserting

CHANGED = range(2, 102)
NEGATE = (
    "UPDATE {table} SET embedding = (SELECT array_agg(-x ORDER BY n) FROM unnest(embedding) WITH ORDINALITY "
    f"u(x, n)) WHERE id BETWEEN {CHANGED[0]} AND {CHANGED[-1]}"
)
WARM_SEARCHES = 5


@dataclass(frozen=True)
class Searches:
    """Searches of one table, and another session which changes what snapshots see."""

    session: Connection
    other: Connection
    table: str

    def ids(self) -> list[int]:
        """The answer."""
        return [row[0] for row in self.session.execute(SEARCH.format(table=self.table).encode())]

    def spent(self) -> float:
        """Milliseconds of a whole search, seen from the client."""
        start = time.perf_counter()
        self.ids()
        return (time.perf_counter() - start) * 1000

    def phase(self, name: str) -> float:
        """Milliseconds of a search that EXPLAIN (ANALYZE) gives for one of its phases."""
        statement = f"EXPLAIN (ANALYZE, FORMAT json) {SEARCH.format(table=self.table)}"
        return float(self.session.execute(statement.encode()).fetchone()[0][0]["Plan"][f"{name} Time"])

    def commit_elsewhere(self) -> None:
        """Make the next snapshot another one, and change nothing."""
        self.other.execute("SELECT pg_current_xact_id()")

    def update(self) -> None:
        """Change the vectors of 100 rows."""
        self.other.execute(NEGATE.format(table=self.table).encode())

    def vacuum(self) -> None:
        """Remove what updates left, and look once. VACUUM by itself leaves few dead rows in the indexes."""
        self.other.execute(f"VACUUM (INDEX_CLEANUP on) {self.table}".encode())
        self.ids()

    def check(self, matrix: np.ndarray) -> None:
        """Compare the answers with float64 before an update, after it, and after one that takes it back."""
        changed = matrix.copy()
        changed[CHANGED[0] - 1 : CHANGED[-1]] *= -1
        before, after = expected_ids(matrix), expected_ids(changed)
        assert before != after, "the update should have changed the answer"
        for expected in (before, after, before):
            for _ in range(2):
                assert self.ids() == expected, f"a search of {self.table} differs from float64"
            self.update()
        self.update()

    def warm(self) -> float:
        """Milliseconds of a search whose snapshot is new."""
        spent = []
        for _ in range(WARM_SEARCHES):
            self.commit_elsewhere()
            spent.append(self.spent())
        return statistics.median(spent)


def proof(searches: Searches, *, new_snapshot: bool = True, updated: bool = False) -> Callable[[], float]:
    """The check of a warm search, under the snapshot of the search before or under a new one."""

    def run() -> float:
        searches.vacuum()
        if updated:
            searches.update()
        searches.ids()
        spent = []
        for _ in range(WARM_SEARCHES):
            if new_snapshot:
                searches.commit_elsewhere()
            spent.append(searches.phase("Check"))
        return statistics.median(spent)

    return run


def whole(searches: Searches) -> Callable[[], float]:
    """A warm search under a new snapshot."""

    def run() -> float:
        searches.vacuum()
        return searches.warm()

    return run


def after_update(searches: Searches, number: int) -> Callable[[], float]:
    """How much longer than a warm search the search of that number after an update takes."""

    def run() -> float:
        searches.vacuum()
        warm = searches.warm()
        searches.update()
        for _ in range(number):
            searches.commit_elsewhere()
            spent = searches.spent()
        return spent - warm

    return run


def proofs(indexed: Searches, plain: Searches) -> list[Contender]:
    """What it costs to know that a copy is current, and to make it so."""
    return [
        Contender("index: check", proof(indexed), goal="<= 0.3 ms"),
        Contender("index: check, 100 rows updated", proof(indexed, updated=True)),
        Contender("index: search", whole(indexed)),
        Contender("index: after UPDATE of 100, more", after_update(indexed, 1), goal="<= 5 ms"),
        Contender("index: the search after that, more", after_update(indexed, 2)),
        Contender("no index, same snapshot: check", proof(plain, new_snapshot=False), goal="<= 0.2 ms"),
        Contender("no index, row versions: check", proof(plain), goal="<= 15 ms"),
        Contender("no index: search", whole(plain)),
        Contender("no index: after UPDATE of 100, more", after_update(plain, 1)),
        Contender("no index: the search after that, more", after_update(plain, 2)),
    ]


def cold(running: Server, indexed: Searches, plain: Searches) -> list[Contender]:
    """Copies and an index built, against the least that reading the rows can cost in C."""
    loop = f"EXPLAIN (ANALYZE, FORMAT json) SELECT spi_loop('SELECT id, embedding FROM {plain.table}')"

    def built(searches: Searches) -> Callable[[], float]:
        def run() -> float:
            warm = searches.warm()
            for file in Path(running.data, "base", "pgsql_tmp").glob("pgsql_tmp_ruattn*"):
                file.unlink()
            return searches.spent() - warm

        return run

    def bare() -> float:
        return float(plain.session.execute(loop.encode()).fetchone()[0][0]["Execution Time"])

    def index() -> float:
        create = INDEXES["attention index"].format(table=plain.table)
        start = time.perf_counter()
        plain.other.execute(create.replace("INDEX ON", "INDEX built ON").encode())
        spent = (time.perf_counter() - start) * 1000
        plain.other.execute("DROP INDEX built")
        return spent

    read, goal = "bare SPI loop in C", "ratio <= 1.5"
    return [
        Contender("index: copy built", built(indexed), base=read, goal=goal),
        Contender("no index: copy built", built(plain), base=read, goal=goal),
        Contender("index built", index, base=read, goal=goal),
        Contender(read, bare, base=read),
    ]


def copies(running: Server) -> Workload:
    """The figures of the proofs are medians of a few searches each, those after an update of one."""
    connection, matrix = connect(running), embeddings()
    connection.execute("DROP TABLE IF EXISTS words, words_vector")
    load_embeddings(connection, matrix)
    connection.execute("DROP TABLE words_vector")
    connection.execute("CREATE TABLE words_indexed AS TABLE words")
    connection.execute(INDEXES["attention index"].format(table="words_indexed").encode())
    connection.execute("VACUUM ANALYZE words_indexed")
    add_spi_loop(connection, running.installation)
    indexed, plain = (Searches(connect(running), connection, name) for name in ("words_indexed", "words"))
    for searches in (indexed, plain):
        searches.session.execute("SET max_parallel_workers_per_gather = 0")

    def check() -> None:
        indexed.check(matrix)
        plain.check(matrix)

    contenders = [*proofs(indexed, plain), *cold(running, indexed, plain)]
    contenders += [*copying(running, connection), *inserting(running, connection)]
    return Workload(f"copies of {len(matrix):,} x {matrix.shape[1]}", contenders, rounds=5, check=check)
