"""The function ruvector_attention_score over a table: microseconds a row, with the query first and last."""

from __future__ import annotations

import statistics
import time

from bench_server import Server, connect, embeddings, load_embeddings
from workload import Figure, Workload

ROUNDS = 5
QUERY = "(SELECT embedding FROM words WHERE id = 1)"
CALLS = {
    "scaled_dot": f"ruvector_attention_score({QUERY}, embedding)",
    "scaled_dot, query last": f"ruvector_attention_score(embedding, {QUERY})",
    "multi_head": f"ruvector_attention_score({QUERY}, embedding, 'multi_head')",
    "cosine": f"ruvector_attention_score({QUERY}, embedding, 'cosine')",
}


def score(running: Server) -> Workload:
    """The median of some scans of the whole table, each a sum of the scores."""
    connection, matrix = connect(running), embeddings()
    connection.execute("DROP TABLE IF EXISTS words, words_vector")
    load_embeddings(connection, matrix)

    def spent(call: str) -> float:
        start = time.perf_counter()
        connection.execute(f"SELECT sum({call}) FROM words".encode()).fetchall()
        return (time.perf_counter() - start) * 1e6 / len(matrix)

    def figures() -> list[Figure]:
        return [
            Figure(name, statistics.median(spent(call) for _ in range(ROUNDS)), "µs a row", "<= 5")
            for name, call in CALLS.items()
        ]

    return Workload(f"ruvector_attention_score over {len(matrix):,} rows", [], figures=figures)
