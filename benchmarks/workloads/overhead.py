"""What the foreign scan itself costs: a search over ten rows against a plain SELECT of the same rows."""

from __future__ import annotations

import time

from bench_server import Server, connect
from workload import Contender, Workload

SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = 'tiny' AND query_id = 1 AND num_heads = 1 AND k = 10"
)
PLAIN = "SELECT id, embedding FROM tiny ORDER BY id DESC LIMIT 10"
REPEATS = 200


def overhead(running: Server) -> Workload:
    """Milliseconds a query, each the mean of 200 in a row on one connection."""
    connection = connect(running)
    connection.execute("CREATE TABLE IF NOT EXISTS tiny (id bigint PRIMARY KEY, embedding real[])")
    connection.execute(
        "INSERT INTO tiny SELECT i, ARRAY[i, 1, 0, 2] FROM generate_series(1, 10) i ON CONFLICT DO NOTHING"
    )

    def contender(name: str, query: str) -> Contender:
        def run() -> float:
            start = time.perf_counter()
            for _ in range(REPEATS):
                connection.execute(query.encode()).fetchall()
            return (time.perf_counter() - start) * 1000 / REPEATS

        return Contender(name, run)

    return Workload(
        "overhead",
        [contender("mha_search over 10 rows", SEARCH), contender("plain SELECT of 10 rows", PLAIN)],
        target="difference <= 0.2 ms",
    )
