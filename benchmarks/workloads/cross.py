"""Cross-attention of 1,000 queries over all embeddings, beside the bare BLAS product of the same shape."""

from __future__ import annotations

import numpy as np
from bench_server import Server, connect, embeddings, load_embeddings
from threadpoolctl import threadpool_limits
from workload import Contender, Workload

QUERIES, K, BLOCK = 1000, 10, 2048
CHECKED = (0, QUERIES // 2, QUERIES - 1)
SEARCH = (
    "SELECT query_id, doc_id, score FROM cross_attention WHERE query_table = 'asks' "
    f"AND document_table = 'words' AND k = {K}"
)


def expected(matrix: np.ndarray, query: int) -> tuple[list[int], np.ndarray]:
    """Ids and scores of one query's answer in float64, ties by id."""
    keys = matrix.astype(np.float64)
    logits = keys @ keys[query] / np.sqrt(matrix.shape[1])
    weights = np.exp(logits - logits.max())
    best = np.lexsort((np.arange(len(matrix)), -logits))[:K]
    return (best + 1).tolist(), weights[best] / weights.sum()


def cross(running: Server) -> Workload:
    """Through SQL on one connection, every query reading both tables; one thread on either side."""
    connection, matrix = connect(running), embeddings()
    connection.execute("DROP TABLE IF EXISTS asks, words, words_vector")
    load_embeddings(connection, matrix)
    connection.execute(f"CREATE TABLE asks AS SELECT id, embedding FROM words WHERE id <= {QUERIES}".encode())
    connection.execute("ANALYZE asks")
    queries = matrix[:QUERIES]

    def check() -> None:
        rows = connection.execute(SEARCH.encode()).fetchall()
        assert len(rows) == len(queries) * K, f"{len(rows)} rows"
        for query in CHECKED:
            ids, scores = expected(matrix, query)
            found = [row for row in rows if row[0] == query + 1]
            assert [row[1] for row in found] == ids, f"the answer to query {query + 1} differs from float64"
            np.testing.assert_allclose([row[2] for row in found], scores, rtol=1e-5)

    def search() -> None:
        connection.execute(SEARCH.encode()).fetchall()

    def product() -> None:
        with threadpool_limits(1):
            for start in range(0, len(matrix), BLOCK):
                queries @ matrix[start : start + BLOCK].T

    return Workload(
        f"cross_attention of {len(queries):,} x {len(matrix):,}, k = {K}",
        [Contender("cross_attention", search), Contender("float32 product in blocks, numpy", product)],
        target="ratio <= 2",
        check=check,
    )
