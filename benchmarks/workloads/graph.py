"""Attention over the neighbours of a node of WordNet's graph, with and without indexes on its edges."""

from __future__ import annotations

import gzip

import numpy as np
from bench_server import WORDNET, Connection, Server, connect, embeddings, load_embeddings
from peers import gathered, named_maker
from peers.geometric import geometric_gatv2
from workload import LIMIT, OURS, Contender, Workload

EDGES = WORDNET.with_name("edges.tsv.gz")
HEADS = 4
NOTE = (
    "gat_search finds the neighbours and reads their features in SQL, then takes 4 heads and their top 10; "
    "GATv2Conv is given both in memory, projects them by a learned matrix and returns the weights."
)
SEARCH = (
    "SELECT node_id, attention_score FROM gat_search WHERE node_table = 'words' AND edge_table = '{edges}' "
    "AND query_node_id = {node} AND hops = {hops} AND k = 10"
)
NEIGHBOURS = (
    "SELECT sum(embedding[1]) FROM words WHERE id IN (SELECT target FROM indexed_edges WHERE source = {node} "
    "UNION SELECT source FROM indexed_edges WHERE target = {node} UNION SELECT {node})"
)


def edges(nodes: int) -> np.ndarray:
    """WordNet's edges beside the checkout, or else as many random ones for each node; int (E, 2)."""
    if not EDGES.exists():
        return np.random.RandomState(0).randint(1, nodes + 1, (int(2.4 * nodes), 2))
    with gzip.open(EDGES, "rt", encoding="utf-8") as lines:
        return np.array([[int(end) for end in line.split("\t")[::2]] for line in lines])


def load_edges(connection: Connection, ends: np.ndarray) -> None:
    """Tables edges, and indexed_edges with an index on either end."""
    connection.execute("CREATE TABLE edges (source bigint, target bigint)")
    with connection.cursor().copy("COPY edges FROM STDIN") as copy:
        for row in ends.tolist():
            copy.write_row(row)
    connection.execute("CREATE TABLE indexed_edges AS TABLE edges")
    connection.execute("CREATE INDEX ON indexed_edges (source)")
    connection.execute("CREATE INDEX ON indexed_edges (target)")
    connection.execute("VACUUM ANALYZE")


def neighbours(ends: np.ndarray, node: int) -> np.ndarray:
    """Ids of a node's neighbours in either direction and of itself, in order."""
    return np.unique(np.concatenate([ends[ends[:, 0] == node, 1], ends[ends[:, 1] == node, 0], [node]]))


def expected(matrix: np.ndarray, ends: np.ndarray, node: int) -> list[int]:
    """The ten best neighbours in float64: mean over 4 heads of the softmax of -L1, ties by id."""
    around = neighbours(ends, node)
    apart = (
        np.abs(matrix[around - 1].astype(np.float64) - matrix[node - 1]).reshape(len(around), 4, -1).sum(2)
    )
    weights = np.exp(apart.min(axis=0) - apart)
    score = (weights / weights.sum(axis=0)).mean(axis=1)
    return around[np.lexsort((around, -score))][:10].tolist()


def graph(running: Server) -> Workload:
    """The node with the most neighbours, which is the dearest, and a usual one."""
    connection, matrix = connect(running), embeddings()
    ends = edges(len(matrix))
    connection.execute("DROP TABLE IF EXISTS words, words_vector")
    load_embeddings(connection, matrix)
    load_edges(connection, ends)
    hub, usual = int(np.bincount(ends.ravel()).argmax()), int(ends[len(ends) // 2, 0])

    def run(edge_table: str, node: int, hops: int = 1) -> Contender:
        return Contender(
            "", lambda: _execute(connection, SEARCH.format(edges=edge_table, node=node, hops=hops))
        )

    def check() -> None:
        for node in (hub, usual):
            for edge_table in ("edges", "indexed_edges"):
                rows = connection.execute(
                    SEARCH.format(edges=edge_table, node=node, hops=1).encode()
                ).fetchall()
                assert [row[0] for row in rows] == expected(matrix, ends, node), (
                    f"gat_search of {node} differs"
                )

    degree = int((ends == hub).any(axis=1).sum())
    busy = f"node with {degree} edges"
    own = {
        f"gat_search, index, {busy}": run("indexed_edges", hub),
        "gat_search, index, usual node": run("indexed_edges", usual),
        "gat_search, index, usual node, 3 hops": run("indexed_edges", usual, 3),
        "gat_search, no index, usual node": run("edges", usual),
    }
    contenders = [Contender(name, contender.run, kind=OURS) for name, contender in own.items()]
    notes = [NOTE]
    for node, name in ((hub, busy), (usual, "usual node")):
        around = np.concatenate([[node], np.setdiff1d(neighbours(ends, node), [node])])
        maker = named_maker(geometric_gatv2, matrix[around - 1], HEADS, name)
        contenders += [peer.contender("") for peer in gathered([maker], notes)]
    read = Contender(
        "its neighbours and their features read by plain SQL",
        lambda: _execute(connection, NEIGHBOURS.format(node=hub)),
        kind=LIMIT,
    )
    return Workload(
        f"graph of {len(matrix):,} nodes and {len(ends):,} edges",
        [*contenders, read],
        target="20 ms with an index",
        check=check,
        repeat=True,
        notes=notes,
    )


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode()).fetchall()
