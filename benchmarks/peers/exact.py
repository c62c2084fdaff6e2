"""Libraries that search all rows: one inner product a row where ours has eight heads and a softmax.

Each function takes rows (n, d) float32 and k and gives a peer for each number of threads.
"""

from __future__ import annotations

import sqlite3

import numpy as np
from threadpoolctl import ThreadpoolController

from peers import Peer

THREADS = (1, 2)


def named(threads: int) -> str:
    """How many threads, in words."""
    return f"{threads} thread{'s' if threads > 1 else ''}"


def faiss_flat(matrix: np.ndarray, k: int) -> list[Peer]:
    """The flat index for inner products."""
    import faiss

    index = faiss.IndexFlatIP(matrix.shape[1])
    index.add(matrix)

    def answer(number: int) -> list[int]:
        return (index.search(matrix[number : number + 1], k)[1][0] + 1).tolist()

    def peer(threads: int) -> Peer:
        return Peer(
            f"faiss IndexFlatIP, {named(threads)}", answer, lambda: faiss.omp_set_num_threads(threads), True
        )

    return [peer(threads) for threads in THREADS]


def usearch_exact(matrix: np.ndarray, k: int) -> list[Peer]:
    """Exact search over rows rounded to half precision, and to 8 bits."""
    from usearch.index import MetricKind, search

    codes = np.round(matrix * (127 / np.abs(matrix).max())).astype(np.int8)

    def peer(name: str, rows: np.ndarray, threads: int) -> Peer:
        def answer(number: int) -> list[int]:
            found = search(rows, rows[number], k, MetricKind.IP, exact=True, threads=threads)
            return (found.keys + 1).tolist()

        return Peer(f"usearch exact {name}, {named(threads)}", answer)

    kinds = {"float16": matrix.astype(np.float16), "int8": codes}
    return [peer(name, rows, threads) for name, rows in kinds.items() for threads in THREADS]


def duckdb_array(matrix: np.ndarray, k: int) -> list[Peer]:
    """array_inner_product over an array column."""
    import duckdb

    width = matrix.shape[1]
    database = duckdb.connect()
    columns = {f"c{place}": np.ascontiguousarray(matrix[:, place]) for place in range(width)}
    database.register("given", {"id": np.arange(1, len(matrix) + 1), **columns})
    database.execute(
        f"CREATE TABLE words AS SELECT id, array_value({', '.join(columns)}) AS embedding FROM given"
    )
    statement = (
        f"SELECT id FROM words ORDER BY array_inner_product(embedding, $1::FLOAT[{width}]) DESC LIMIT {k}"
    )

    def answer(number: int) -> list[int]:
        return [row[0] for row in database.execute(statement, [matrix[number].tolist()]).fetchall()]

    def peer(threads: int) -> Peer:
        return Peer(
            f"DuckDB array_inner_product, {named(threads)}",
            answer,
            lambda: database.execute(f"SET threads = {threads}"),
            True,
        )

    return [peer(threads) for threads in THREADS]


def sqlite_vec(matrix: np.ndarray, k: int) -> list[Peer]:
    """A vec0 table, by its distance, which for rows of unit length ranks as the inner product does."""
    import sqlite_vec

    database = sqlite3.connect(":memory:")
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    database.execute(f"CREATE VIRTUAL TABLE words USING vec0(embedding float[{matrix.shape[1]}])")
    rows = ((number, row.tobytes()) for number, row in enumerate(matrix, 1))
    database.executemany("INSERT INTO words (rowid, embedding) VALUES (?, ?)", rows)
    statement = f"SELECT rowid FROM words WHERE embedding MATCH ? AND k = {k} ORDER BY distance"

    def answer(number: int) -> list[int]:
        return [row[0] for row in database.execute(statement, [matrix[number].tobytes()])]

    return [Peer("sqlite-vec, 1 thread", answer)]


def torch_attention(matrix: np.ndarray, heads: int) -> list[Peer]:
    """scaled_dot_product_attention, heads first; values are the keys; its output, no ranking."""
    import torch

    keys = torch.from_numpy(matrix).reshape(1, len(matrix), heads, -1).transpose(1, 2).contiguous()

    def answer(number: int) -> None:
        query = keys[:, :, number : number + 1]
        with torch.inference_mode():
            torch.nn.functional.scaled_dot_product_attention(query, keys, keys)

    def peer(threads: int) -> Peer:
        name = f"torch SDPA, {heads} heads, output only, {named(threads)}"
        return Peer(name, answer, lambda: torch.set_num_threads(threads))

    return [peer(threads) for threads in THREADS]


def numpy_heads(matrix: np.ndarray, k: int, heads: int) -> list[Peer]:
    """The formula of multi-head attention as one would write it: logits, softmax, mean, partition."""
    keys = matrix.reshape(len(matrix), heads, -1)

    def answer(number: int) -> list[int]:
        logits = np.einsum("nhd,hd->hn", keys, keys[number], optimize=True) / np.sqrt(keys.shape[2])
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        score = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
        best = np.argpartition(-score, k)[:k]
        return (best[np.lexsort((best, -score[best]))] + 1).tolist()

    return [Peer(f"numpy as written, {heads} heads and softmax", answer)]


def products(matrix: np.ndarray) -> list[Peer]:
    """One pass over the rows: what no exact search in float32 can do without."""
    pools = ThreadpoolController()

    def answer(number: int) -> None:
        matrix @ matrix[number]

    def peer(threads: int) -> Peer:
        return Peer(limit_name(threads), answer, lambda: pools.limit(limits=threads, user_api="blas"))

    return [peer(threads) for threads in THREADS]


def limit_name(threads: int) -> str:
    """The name of the bare product of one number of threads."""
    return f"one float32 product, numpy, {named(threads)}"


def recall(peer: Peer, matrix: np.ndarray, numbers: list[int], k: int) -> float | None:
    """The share of the k rows of greatest inner product that the peer finds, over several queries."""
    peer.prepare()
    shares = []
    for number in numbers:
        found = peer.answer(number)
        if found is None:
            return None
        shares.append(len(set(found) & set(nearest(matrix, number, k))) / k)
    return float(np.mean(shares))


def nearest(matrix: np.ndarray, number: int, k: int) -> list[int]:
    """Ids (from 1) of the k rows of greatest inner product, in float64 among the best by float32."""
    rough = matrix @ matrix[number]
    candidates = np.argpartition(-rough, 10 * k)[: 10 * k]
    exact = matrix[candidates].astype(np.float64) @ matrix[number].astype(np.float64)
    return (candidates[np.lexsort((candidates, -exact))][:k] + 1).tolist()
