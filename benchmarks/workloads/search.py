"""Exact top 10 of the embeddings beside what people would use instead, all in one run.

We compute eight heads and the softmax over all rows; a peer computes one inner product a row unless its name
says heads. One temperature for all: 1. Ratios are to one bare float32 product of as many threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import peers
from bench_server import Connection, Server, connect, embeddings, in_blocks, load_embeddings
from peers import Peer, exact, named_maker
from peers.ruvector import original_engine
from workload import LIMIT, OURS, Contender, Workload

HEADS, K, TEMPERATURE = 8, 10, 1.0
DTYPES = ("float32", "float16", "int8")
RECALL_QUERIES = 30
SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = '{table}' AND query_id = 1 "
    f"AND num_heads = {HEADS} AND k = {K} AND temperature = {TEMPERATURE}"
)
PGVECTOR = (
    "SELECT id FROM {table} ORDER BY embedding <#> (SELECT embedding FROM {table} WHERE id = {id}) LIMIT 10"
)
EXACT = "pgvector exact, 1 process"
GOALS = {"float32": "ratio <= 1.5", "int8": "speed-up >= 12"}
HEADS_NOTE = (
    "mha_search computes 8 heads and the softmax over all rows, at temperature 1, and its ids are those of "
    "float64; peers compute one inner product a row, unless their names say heads."
)


def expected_ids(matrix: np.ndarray) -> list[int]:
    """The answer in float64: mean of the heads' softmaxes, ties by id."""
    query = matrix[0].astype(np.float64).reshape(HEADS, -1)
    blocks = (block.astype(np.float64).reshape(len(block), HEADS, -1) for block in in_blocks(matrix))
    logits = np.concatenate([np.einsum("nhd,hd->nh", keys, query) for keys in blocks])
    logits /= np.sqrt(query.shape[1]) * TEMPERATURE
    weights = np.exp(logits - logits.max(0))
    score = (weights / weights.sum(0)).mean(1)
    return (np.lexsort((np.arange(len(matrix)), -score))[:K] + 1).tolist()


def load_indexed(connection: Connection) -> None:
    """Tables words_<dtype>, each with an attention index whose copy holds that type."""
    for dtype in DTYPES:
        table = f"words_{dtype}"
        connection.execute(f"CREATE TABLE {table} AS TABLE words".encode())
        connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)".encode())
        connection.execute(
            f"CREATE INDEX ON {table} USING ruvector_attention (embedding) INCLUDE (id) "
            f"WITH (dtype = '{dtype}')".encode()
        )
        connection.execute(f"VACUUM ANALYZE {table}".encode())


def load_hnsw(connection: Connection) -> None:
    """Table words_hnsw, as pgvector's documentation builds its index."""
    connection.execute("CREATE TABLE words_hnsw AS TABLE words_vector")
    connection.execute("ALTER TABLE words_hnsw ADD PRIMARY KEY (id)")
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("CREATE INDEX ON words_hnsw USING hnsw (embedding vector_ip_ops)")
    connection.execute("VACUUM ANALYZE words_hnsw")


def session(running: Server, **settings: object) -> Connection:
    """A connection with these settings; two underscores stand for a dot."""
    connection = connect(running)
    for name, value in settings.items():
        connection.execute(f"SET {name.replace('__', '.')} = {value}".encode())
    return connection


def ids(connection: Connection, statement: str) -> list[int]:
    """The ids that a statement gives."""
    return [row[0] for row in connection.execute(statement.encode()).fetchall()]


def pgvector(running: Server) -> list[Peer]:
    """Its exact scan, and HNSW at two settings of its breadth."""

    def peer(name: str, table: str, on: Connection, is_exact: bool = False) -> Peer:
        return Peer(name, lambda number: ids(on, PGVECTOR.format(table=table, id=number + 1)), exact=is_exact)

    single = session(running, max_parallel_workers_per_gather=0)
    found = [
        peer(EXACT, "words_vector", single, True),
        peer("pgvector exact, parallel", "words_vector", connect(running), True),
    ]
    for breadth in (40, 200):
        on = session(running, hnsw__ef_search=breadth)
        found.append(peer(f"pgvector HNSW, approximate, ef_search {breadth}", "words_hnsw", on))
    return found


def ours(running: Server) -> list[Peer]:
    """mha_search over an index of each type, with one thread and with two."""
    found = []
    for dtype in DTYPES:
        statement = SEARCH.format(table=f"words_{dtype}")
        for threads in exact.THREADS:
            on = session(running, ruattn_fdw__threads=threads)
            answer: Callable[[int], list[int]] = lambda _, on=on, statement=statement: ids(on, statement)  # noqa: E731
            found.append(Peer(f"mha_search {dtype}, {exact.named(threads)}", answer))
    return found


def libraries(matrix: np.ndarray, notes: list[str]) -> list[Peer]:
    """The peers that run in this process."""
    searches = (exact.faiss_flat, exact.usearch_exact, exact.duckdb_array, exact.sqlite_vec)
    makers = [named_maker(maker, matrix, K) for maker in searches]
    makers.append(named_maker(exact.torch_attention, matrix, HEADS))
    makers.append(named_maker(exact.numpy_heads, matrix, K, HEADS))
    return peers.gathered(makers, notes)


def search(running: Server) -> Workload:
    """Through SQL on one connection a contender; ours over attention indexes whose copies are warm."""
    connection, matrix, notes = connect(running), embeddings(), [HEADS_NOTE]
    connection.execute("DROP TABLE IF EXISTS words, words_vector")
    load_embeddings(connection, matrix)
    load_indexed(connection)
    load_hnsw(connection)
    own, others = ours(running), [*pgvector(running), *libraries(matrix, notes)]
    numbers = [0, *np.linspace(1, len(matrix) - 1, RECALL_QUERIES - 1).astype(int).tolist()]

    def check() -> None:
        expected = expected_ids(matrix)
        for peer in own:
            assert peer.answer(0) == expected, f"{peer.name} differs from float64"
        for peer in others:
            if peer.exact:
                assert peer.answer(0) == exact.nearest(matrix, 0, K), f"{peer.name} differs from float64"

    contenders = [_of_ours(peer) for peer in own]
    contenders += [peer.contender(_limit_of(peer), _recall(peer, matrix, numbers)) for peer in others]
    try:
        contenders += original_engine(matrix, HEADS, exact.limit_name(1))
    except OSError as problem:
        notes.append(peers.missing("npm @ruvector/attention", problem))
    contenders += [peer.contender(peer.name, kind=LIMIT) for peer in exact.products(matrix)]
    return Workload(
        f"exact top {K} of {len(matrix):,} x {matrix.shape[1]}",
        contenders,
        check=check,
        rival=EXACT,
        repeat=True,
        notes=notes,
    )


def _of_ours(peer: Peer) -> Contender:
    goal = next((goal for dtype, goal in GOALS.items() if f" {dtype}," in peer.name), "")
    return Contender(peer.name, peer.run, base=_limit_of(peer), goal=goal, kind=OURS)


def _limit_of(peer: Peer) -> str:
    several = "2 threads" in peer.name or "parallel" in peer.name
    return exact.limit_name(2 if several else 1)


def _recall(peer: Peer, matrix: np.ndarray, numbers: list[int]) -> float | None:
    # heads rank by another score than the inner product that recall is of
    return None if "heads" in peer.name else exact.recall(peer, matrix, numbers, K)
