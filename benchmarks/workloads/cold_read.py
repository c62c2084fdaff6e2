"""Reading 100,000 x 768 real[] into numpy, against the least that it can cost in C."""

from __future__ import annotations

from bench_server import Server, add_spi_loop, connect, load_wide
from workload import Contender, Workload

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'wide' AND query_id = 1 AND k = 1"
LOOP = "SELECT spi_loop('SELECT id, embedding FROM wide')"


def cold_read(running: Server) -> Workload:
    """Ours is the "Read Time" that EXPLAIN (ANALYZE) reports for a search over the table."""
    connection = connect(running)
    load_wide(connection)
    add_spi_loop(connection, running.installation)
    connection.execute("SET max_parallel_workers_per_gather = 0")

    def ours() -> float:
        plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {SEARCH}".encode()).fetchone()[0]
        return float(plan[0]["Plan"]["Read Time"])

    def loop() -> float:
        plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {LOOP}".encode()).fetchone()[0]
        return float(plan[0]["Execution Time"])

    return Workload(
        "cold_read",
        [Contender("mha_search, reading", ours), Contender("bare SPI loop in C", loop)],
        rounds=9,
        target="ratio <= 1.5",
    )
