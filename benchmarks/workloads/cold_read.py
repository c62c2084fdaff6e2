"""The first search over 100,000 x 768 real[], which writes the copy, beside what reading costs in C."""

from __future__ import annotations

import time
from pathlib import Path

from bench_server import Server, add_spi_loop, connect, load_wide
from workload import OURS, Contender, Workload

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'wide' AND query_id = 1 AND k = 1"
LOOP = "SELECT spi_loop('SELECT id, embedding FROM wide')"


def cold_read(running: Server) -> Workload:
    """Ours is a whole search, without the copy that the one before it made."""
    connection = connect(running)
    load_wide(connection)
    add_spi_loop(connection, running.installation)
    connection.execute("SET max_parallel_workers_per_gather = 0")

    def ours() -> float:
        for file in Path(running.data, "base", "pgsql_tmp").glob("pgsql_tmp_ruattn*"):
            file.unlink()
        start = time.perf_counter()
        connection.execute(SEARCH.encode()).fetchall()
        return (time.perf_counter() - start) * 1000

    def loop() -> float:
        plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {LOOP}".encode()).fetchone()[0]
        return float(plan[0]["Execution Time"])

    return Workload(
        "cold_read",
        [Contender("mha_search, the first", ours, kind=OURS), Contender("bare SPI loop in C", loop)],
        rounds=9,
        target="ratio <= 1.5",
    )
