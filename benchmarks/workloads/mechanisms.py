"""Every mechanism: one query over vectors of 384 dimensions, at three sizes that show how its time grows.

Milliseconds are the kernel's as EXPLAIN (ANALYZE) reports them: what a mechanism fits to the keys is fitted
anew for every query, the reading of the rows is left out.
"""

from __future__ import annotations

import json

import numpy as np
from bench_server import Connection, Server, connect, copy_rows, in_blocks
from ruattn_fdw.kernels.mechanism import Mechanism, parse_options
from ruattn_fdw.kernels.registry import MECHANISMS
from workload import Contender, Workload

DIMENSIONS = 384
ROWS = (10_000, 30_000, 100_000)
FEW_ROWS = (1_000, 2_000, 4_000)
QUERIES = 10
NEIGHBOURS = 10

SEARCHES = {
    "mha_search": "mha_search WHERE table_name = '{keys}'"
    " AND query = (SELECT embedding FROM queries WHERE id = 1)",
    "gat_search": "gat_search WHERE node_table = '{keys}' AND edge_table = '{edges}' AND query_node_id = 1",
    "cross_attention": "cross_attention WHERE query_table = 'queries' AND document_table = '{keys}'",
}
OPTIONS = {
    "additive": {"init": "seeded"},
    "gat": {"init": "seeded"},
    "edge_featured_gat": {"version": 2, "edge_column": "weight"},
    "sliced_wasserstein": {"token_dim": 64},
    "diffusion": {"max_rows": 4096},
}
"""What a mechanism cannot do without, or needs for these sizes."""


def statement(mechanism: Mechanism, rows: int) -> str:
    """The search of this mechanism over so many rows."""
    operation = next(name for name in SEARCHES if name in mechanism.operations)
    options = OPTIONS.get(mechanism.name, {})
    clauses = [
        SEARCHES[operation].format(keys=f"keys_{rows}", edges=f"edges_{rows}"),
        f"attention_type = '{mechanism.name}'",
    ]
    if options:
        clauses.append(f"options = '{json.dumps(options)}'")
    if mechanism.needs_order(parse_options(mechanism, options)):
        clauses.append("order_column = 'id'")
    return " AND ".join(clauses)


def sizes(mechanism: Mechanism) -> tuple[int, ...]:
    """The numbers of rows; fewer where the mechanism compares all keys with each other."""
    return FEW_ROWS if any(option.name == "max_rows" for option in mechanism.parameters) else ROWS


def load(connection: Connection) -> None:
    """Tables of vectors keys_<rows>, of queries, and of edges_<rows> between them."""
    random = np.random.RandomState(0)
    vectors = random.standard_normal((max(ROWS), DIMENSIONS)).astype(np.float32)
    vectors *= 0.9 / np.linalg.norm(vectors, axis=1, keepdims=True)
    largest = f"keys_{max(ROWS)}"
    copy_rows(connection, largest, in_blocks(vectors))
    for rows in {*ROWS, *FEW_ROWS} - {max(ROWS)}:
        connection.execute(f"CREATE TABLE keys_{rows} AS SELECT * FROM {largest} WHERE id <= {rows}".encode())
    connection.execute(f"CREATE TABLE queries AS SELECT * FROM {largest} WHERE id <= {QUERIES}".encode())
    for rows in ROWS:
        connection.execute(
            f"CREATE TABLE edges_{rows} AS"
            " SELECT id AS source, 1 + (id + 7919 * step) %% %s AS target, 1.0 / step AS weight"
            " FROM generate_series(1, %s) AS id, generate_series(1, %s) AS step".encode(),
            (rows, rows, NEIGHBOURS),
        )
        connection.execute(f"CREATE INDEX ON edges_{rows} (source)".encode())
        connection.execute(f"CREATE INDEX ON edges_{rows} (target)".encode())
    connection.execute("VACUUM ANALYZE")


def kernel_time(connection: Connection, search: str) -> float:
    """Milliseconds of the kernel in one run."""
    explain = f"EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM {search}"
    [(plan,)] = connection.execute(explain.encode()).fetchall()
    return float(plan[0]["Plan"]["Kernel Time"])


def mechanisms(running: Server) -> Workload:
    """All mechanisms of the registry."""
    connection = connect(running)
    load(connection)

    def contender(mechanism: Mechanism, rows: int) -> Contender:
        search = statement(mechanism, rows)
        return Contender(mechanism.name, lambda: kernel_time(connection, search), rows)

    def check() -> None:
        for mechanism in MECHANISMS:
            if mechanism.weight_kind != "S" and mechanism.scope not in ("GRAPH", "BATCH"):
                search = statement(mechanism, min(sizes(mechanism)))
                [(total,)] = connection.execute(f"SELECT sum(score) FROM {search}".encode()).fetchall()
                assert abs(total - 1) < 1e-4, f"the weights of {mechanism.name} sum to {total}"

    return Workload(
        f"one query by each mechanism, {DIMENSIONS} dimensions, kernel alone",
        [contender(mechanism, rows) for mechanism in MECHANISMS for rows in sizes(mechanism)],
        rounds=3,
        check=check,
    )
