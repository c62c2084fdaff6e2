"""Exact top 10 of the embeddings, eight heads, beside pgvector's exact scan and one bare BLAS product."""

from __future__ import annotations

import numpy as np
from bench_server import Connection, Server, connect, embeddings, load_embeddings
from workload import Contender, Workload

HEADS, K, TEMPERATURE = 8, 10, 0.05
SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = '{table}' AND query_id = 1 "
    f"AND num_heads = {HEADS} AND k = {K} AND temperature = {TEMPERATURE}"
)
PGVECTOR = (
    "SELECT id FROM words_vector ORDER BY embedding <#> (SELECT embedding FROM words_vector WHERE id = 1) "
    f"LIMIT {K}"
)


def expected_ids(matrix: np.ndarray) -> list[int]:
    """The answer in float64: mean of the heads' softmaxes, ties by id."""
    keys = matrix.astype(np.float64).reshape(len(matrix), HEADS, -1)
    logits = np.einsum("nhd,hd->nh", keys, keys[0]) / np.sqrt(keys.shape[2]) / TEMPERATURE
    weights = np.exp(logits - logits.max(0))
    score = (weights / weights.sum(0)).mean(1)
    return (np.lexsort((np.arange(len(matrix)), -score))[:K] + 1).tolist()


def search(running: Server) -> Workload:
    """Through SQL on one connection, every query reading the table: there is no warm copy yet."""
    connection, parallel = connect(running), connect(running)
    matrix = embeddings()
    load_embeddings(connection, matrix)
    connection.execute("SET max_parallel_workers_per_gather = 0")
    query = matrix[0]

    def run(on: Connection, statement: str) -> Contender:
        return Contender("", lambda: _execute(on, statement))

    def check() -> None:
        rows = connection.execute(SEARCH.format(table="words").encode()).fetchall()
        assert [row[0] for row in rows] == expected_ids(matrix), "mha_search differs from float64"

    def product() -> None:
        matrix @ query

    contenders = {
        "mha_search, real[]": run(connection, SEARCH.format(table="words")),
        "mha_search, vector": run(connection, SEARCH.format(table="words_vector")),
        "pgvector exact, 1 process": run(connection, PGVECTOR),
        "pgvector exact, parallel": run(parallel, PGVECTOR),
        "one float32 product, numpy": Contender("", product),
    }
    return Workload(
        f"search over {len(matrix):,} x {matrix.shape[1]}",
        [Contender(name, contender.run) for name, contender in contenders.items()],
        check=check,
    )


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode()).fetchall()
