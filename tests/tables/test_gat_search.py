"""gat_search against attention over the edges computed here in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

NODES, WIDTH, HEADS = 60, 10, 4
FEATURES = np.random.default_rng(3).normal(size=(NODES, WIDTH)).astype(np.float32) / 2
IDS = np.random.default_rng(4).permutation(NODES) + 100
EDGES = sorted({(int(a), int(b)) for a, b in np.random.default_rng(5).choice(IDS, size=(200, 2)) if a != b})
START = int(IDS[0])
Rows = list[tuple[Any, ...]]
Search = Callable[..., Rows]


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE nodes (id integer PRIMARY KEY, name text, features real[])")
    db.execute("CREATE TABLE links (source integer, target integer)")
    nodes = [(int(i), f"node {i}", row.tolist()) for i, row in zip(IDS, FEATURES, strict=True)]
    db.cursor().executemany("INSERT INTO nodes VALUES (%s, %s, %s)", nodes)
    db.cursor().executemany("INSERT INTO links VALUES (%s, %s)", EDGES)
    db.execute("ANALYZE")
    return db


@pytest.fixture(params=["without indexes", "with indexes"])
def search(db: Connection[Any], request: pytest.FixtureRequest) -> Search:
    """Runs gat_search from START over both ways of reading edges."""
    if request.param == "with indexes":
        db.execute("CREATE INDEX ON links (source)")
        db.execute("CREATE INDEX ON links (target)")

    def run(columns: str, clauses: str = "", *values: Any) -> Rows:
        sql = (
            f"SELECT {columns} FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
            f" AND query_node_id = {START}{clauses}"
        )
        return db.execute(sql.encode(), values or None).fetchall()

    return run


def neighbours(node: int, direction: str = "both", loops: bool = True) -> list[int]:
    found = set()
    for source, target in EDGES:
        if source == node and direction != "in":
            found.add(target)
        if target == node and direction != "out":
            found.add(source)
    return sorted(found | ({node} if loops else set()))


def feature(node: int) -> np.ndarray:
    return FEATURES[list(IDS).index(node)].astype(np.float64)


def attention(
    node: int, direction: str = "both", loops: bool = True, heads: int = HEADS, temperature: float = 1
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """neighbour -> (weights of the heads, logits of the heads)."""
    around = neighbours(node, direction, loops)
    logits = np.array(
        [
            [-part.sum() / temperature for part in np.array_split(np.abs(feature(node) - feature(n)), heads)]
            for n in around
        ]
    ).reshape(-1, heads)
    weights = np.exp(logits) / np.exp(logits).sum(axis=0)
    return {n: (weights[place], logits[place]) for place, n in enumerate(around)}


def ranked(expected: dict[int, tuple[float, int]]) -> list[int]:
    return sorted(expected, key=lambda node: (-expected[node][0], node))


ALL = "node_id, attention_score, logit, rank, hop, head_scores"


@pytest.mark.parametrize("direction", ["in", "out", "both"])
@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize(("heads", "temperature"), [(4, 1.0), (3, 0.5), (10, 2.0)])
def test_neighbours_by_attention(
    search: Search, direction: str, loops: bool, heads: int, temperature: float
) -> None:
    clauses = " AND direction = %s AND self_loops = %s AND num_heads = %s AND temperature = %s"
    found = search(ALL, clauses, direction, loops, heads, temperature)
    expected = attention(START, direction, loops, heads, temperature)
    scores = {node: (float(weights.mean()), 0) for node, (weights, _) in expected.items()}
    assert [row[0] for row in found] == ranked(scores)
    for place, (node, score, logit, rank, hop, head_scores) in enumerate(found, 1):
        weights, logits = expected[node]
        assert score == pytest.approx(weights.mean(), rel=1e-5)
        assert logit == pytest.approx(logits.mean(), rel=1e-5, abs=1e-6)
        assert head_scores == pytest.approx(weights, rel=1e-5)
        assert (rank, hop) == (place, 0 if node == START else 1)
    assert sum(row[1] for row in found) == pytest.approx(1 if found else 0, abs=1e-5)


@pytest.mark.parametrize("direction", ["out", "both"])
@pytest.mark.parametrize("hops", [2, 3])
def test_further_nodes_by_the_best_path(search: Search, hops: int, direction: str) -> None:
    best: dict[int, tuple[float, int]] = {}
    reached = {START: 1.0}
    for hop in range(1, hops + 1):
        further: dict[int, float] = {}
        for node, score in reached.items():
            for neighbour, (weights, _) in attention(node, direction).items():
                further[neighbour] = max(further.get(neighbour, 0), score * float(weights.mean()))
        for node, score in further.items():
            first = best[node][1] if node in best else (0 if node == START else hop)
            best[node] = (max(score, best.get(node, (0, 0))[0]), first)
        reached = further
    found = search("node_id, attention_score, hop", " AND hops = %s AND direction = %s", hops, direction)
    assert [row[0] for row in found] == ranked(best)
    for node, score, hop in found:
        assert (score, hop) == (pytest.approx(best[node][0], rel=1e-5), best[node][1])


def test_k_cuts_and_order_and_limit_need_no_sort(search: Search, db: Connection[Any]) -> None:
    every = search("node_id, attention_score", " AND hops = 2")
    assert search("node_id, attention_score", " AND hops = 2 AND k = 3") == every[:3]
    sql = (
        "EXPLAIN (COSTS OFF) SELECT node_id FROM gat_search WHERE node_table = 'nodes'"
        f" AND edge_table = 'links' AND query_node_id = {START} ORDER BY attention_score DESC LIMIT 3"
    )
    plan = "\n".join(row[0] for row in db.execute(sql.encode()))
    assert "Sort" not in plan


def test_parallel_edges_count_once(search: Search, db: Connection[Any]) -> None:
    before = search(ALL, " AND hops = 2")
    db.execute("INSERT INTO links SELECT target, source FROM links UNION ALL SELECT * FROM links")
    assert search(ALL, " AND hops = 2") == before


def test_nodes_without_a_row_or_features_are_no_neighbours(search: Search, db: Connection[Any]) -> None:
    before = search(ALL)
    db.execute("INSERT INTO links VALUES (%s, 9999), (NULL, %s), (%s, NULL)", [START] * 3)
    assert search(ALL) == before
    gone = before[-1][0]
    db.execute("UPDATE nodes SET features = NULL WHERE id = %s", [gone])
    assert gone not in [row[0] for row in search(ALL)]
    assert sum(row[1] for row in search(ALL)) == pytest.approx(1, abs=1e-5)


def test_a_node_alone_pays_all_attention_to_itself(search: Search, db: Connection[Any]) -> None:
    db.execute("TRUNCATE links")
    assert search("node_id, attention_score, hop") == [(START, 1.0, 0)]
    assert search("node_id", " AND self_loops = false") == []


@pytest.mark.bundled
def test_explain_says_how_edges_are_read_and_what_was_read(
    search: Search, db: Connection[Any], request: pytest.FixtureRequest
) -> None:
    db.execute("INSERT INTO links VALUES (%s, 9999)", [START])
    sql = (
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT node_id FROM gat_search WHERE node_table = 'nodes'"
        f" AND edge_table = 'links' AND query_node_id = {START}"
    )
    lines = [row[0].strip() for row in db.execute(sql.encode())]
    indexed = "by index, the edges around each node" in "\n".join(lines)
    assert f"Edge Access: {'by index, the edges around each node' if indexed else 'all edges, once'}" in lines
    touching = sum(START in edge for edge in EDGES) + 1
    assert f"Edges Read: {touching if indexed else len(EDGES) + 1}" in lines
    assert f"Rows Read: {len(neighbours(START))}" in lines
    assert "Missing Nodes: 1" in lines
    assert "Weights: metric, -||h_i - h_j||_1" in lines
    assert "Nodes: public.nodes (id, features)" in lines
    assert "Edges: public.links (source, target)" in lines


def test_only_an_index_on_the_followed_end_is_used(db: Connection[Any]) -> None:
    sql = (
        "EXPLAIN (COSTS OFF) SELECT 1 FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
        f" AND query_node_id = {START} AND direction = %s"
    )

    def by_index(direction: str) -> bool:
        return "by index" in "\n".join(row[0] for row in db.execute(sql.encode(), [direction]))

    db.execute("CREATE INDEX ON links (source) WHERE source > 0")
    db.execute("CREATE INDEX ON links (target, source)")
    assert [by_index(direction) for direction in ("in", "out", "both")] == [True, False, False]


@pytest.mark.bundled
def test_a_lateral_join_reads_the_edges_once(db: Connection[Any]) -> None:
    sql = (
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT n.id, g.node_id FROM nodes n CROSS JOIN LATERAL (SELECT node_id"
        " FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links' AND query_node_id = n.id) g"
    )
    lines = [row[0].strip() for row in db.execute(sql.encode())]
    assert f"Edges Read: {len(EDGES)}" in lines


@pytest.mark.parametrize("k", [1, 3, 1000])
def test_the_function_leaves_the_query_node_out(db: Connection[Any], k: int) -> None:
    expected = {node: (float(weights.mean()), 0) for node, (weights, _) in attention(START).items()}
    wanted = [node for node in ranked(expected) if node != START][:k]
    named = "node_table := 'nodes', edge_table := 'links', query_node_id := %s, k := %s"
    call = f"SELECT * FROM ruvector_gat_search({named})"
    found = db.execute(call.encode(), [START, k]).fetchall()
    assert [row[0] for row in found] == wanted
    assert [row[1] for row in found] == pytest.approx([expected[node][0] for node in wanted], rel=1e-5)


@pytest.mark.bundled
def test_gat_takes_untrained_weights_on_request_and_says_so(search: Search, db: Connection[Any]) -> None:
    notices: list[str | None] = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    seeded = ' AND attention_type = \'gat\' AND options = \'{"init": "seeded", "seed": 7}\''
    first = search("node_id, attention_score", seeded)
    assert notices == ["the weights of gat are untrained: drawn at random, nothing is learned"]
    assert search("node_id, attention_score", seeded) == first
    assert len(notices) == 2
    db.execute(
        "SELECT count(*) FROM nodes n, LATERAL (SELECT 1 FROM gat_search WHERE node_table = 'nodes'"
        f" AND edge_table = 'links' AND query_node_id = n.id{seeded} OFFSET 0) g".encode()
    )
    assert len(notices) == 3, "one notice for all rescans"
    uniform = search("attention_score", " AND attention_type = 'gat' AND options = '{\"init\": \"uniform\"}'")
    assert [row[0] for row in uniform] == pytest.approx([1 / len(neighbours(START))] * len(neighbours(START)))


def test_a_cancel_takes_effect(db: Connection[Any]) -> None:
    db.execute("INSERT INTO links SELECT a, b FROM generate_series(100, 159) a, generate_series(100, 159) b")
    db.execute("SET statement_timeout = '1ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute(
            "SELECT count(*) FROM generate_series(1, 1000), LATERAL (SELECT node_id FROM gat_search WHERE"
            " node_table = 'nodes' AND edge_table = 'links' AND query_node_id = 100 AND hops = 5 OFFSET 0) g"
        )
    db.execute("RESET statement_timeout")
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_a_logit_beyond_single_precision_is_an_error(search: Search) -> None:
    with pytest.raises(psycopg.errors.NumericValueOutOfRange, match=r"logit of node .* overflows"):
        search("*", " AND temperature = 1e-300")
