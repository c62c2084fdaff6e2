"""gat_search with ppr_diffusion: every node that the edges lead to, by the visits of a walk."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

NODES = 40
FEATURES = np.random.default_rng(1).normal(size=(NODES, 6)).astype(np.float32)
LINKS = sorted(
    {(int(a), int(b)) for a, b in np.random.default_rng(2).integers(1, 31, size=(60, 2)) if a != b}
)
WEIGHTS = np.random.default_rng(3).uniform(0.5, 2, len(LINKS)).astype(np.float32)
Search = Callable[..., Any]


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    """Nodes 31 to 40 are without edges."""
    db.execute("CREATE TABLE nodes (id int PRIMARY KEY, features real[])")
    db.execute("CREATE TABLE links (source int, target int, weight real)")
    nodes = [(i, row.tolist()) for i, row in enumerate(FEATURES, 1)]
    db.cursor().executemany("INSERT INTO nodes VALUES (%s, %s)", nodes)
    edges = [(*link, float(weight)) for link, weight in zip(LINKS, WEIGHTS, strict=True)]
    db.cursor().executemany("INSERT INTO links VALUES (%s, %s, %s)", edges)
    return db


@pytest.fixture
def search(db: Connection[Any]) -> Search:
    """Columns of gat_search with ppr_diffusion from a node."""

    def run(columns: str = "node_id, attention_score", clauses: str = "", start: int = LINKS[0][0]) -> Any:
        sql = (
            f"SELECT {columns} FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
            f" AND query_node_id = {start} AND attention_type = 'ppr_diffusion'{clauses}"
        )
        return db.execute(sql.encode()).fetchall()

    return run


def visits(weights: dict[tuple[int, int], float], start: int, alpha: float = 0.15) -> dict[int, float]:
    """Node -> score by the inverse, of those with one."""
    steps = np.zeros((NODES + 1, NODES + 1))
    for ends, weight in weights.items():
        steps[ends] = weight
    restart = np.eye(NODES + 1)[start]
    steps[~steps.any(axis=1)] = restart
    steps /= steps.sum(axis=1, keepdims=True)
    found = alpha * np.linalg.solve(np.eye(NODES + 1) - (1 - alpha) * steps.T, restart)
    return {node: score for node, score in enumerate(found) if score > 1e-15}


def given(direction: str) -> dict[tuple[int, int], float]:
    weights: dict[tuple[int, int], float] = {}
    for (source, target), weight in zip(LINKS, WEIGHTS.tolist(), strict=True):
        for way, ends in (("out", (source, target)), ("in", (target, source))):
            if direction in (way, "both"):
                weights[ends] = weights.get(ends, 0) + weight
    return weights


WEIGHTED = ' AND options = \'{"edge_column": "weight"}\''


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_scores_are_the_visits_of_the_walk(search: Search, direction: str) -> None:
    found = search("node_id, attention_score, rank", f"{WEIGHTED} AND direction = '{direction}'")
    expected = visits(given(direction), LINKS[0][0])
    assert {row[0]: row[1] for row in found} == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert [row[0] for row in found] == sorted(expected, key=lambda node: (-expected[node], node))
    assert [row[2] for row in found] == list(range(1, len(found) + 1))
    assert sum(row[1] for row in found) == pytest.approx(1, abs=1e-6)


def test_without_weights_it_steps_to_what_is_alike(search: Search) -> None:
    products = FEATURES.astype(np.float64) @ FEATURES.T / np.sqrt(6)
    weights = {(a, b): float(np.exp(products[a - 1, b - 1])) for a, b in given("both")}
    assert dict(search()) == pytest.approx(visits(weights, LINKS[0][0]), rel=1e-4, abs=1e-7)


def test_alpha_says_how_often_it_returns(search: Search) -> None:
    options = """ AND options = '{"edge_column": "weight", "alpha": 0.6}'"""
    assert dict(search(clauses=options)) == pytest.approx(visits(given("both"), LINKS[0][0], 0.6), rel=1e-4)


def test_the_logit_is_the_logarithm_of_the_score_and_there_is_one_head(search: Search) -> None:
    for score, logit, heads, num_heads in search("attention_score, logit, head_scores, num_heads"):
        assert logit == pytest.approx(np.log(score), rel=1e-5)
        assert (heads, num_heads) == ([score], 1)


def test_hop_is_that_of_the_shortest_way(search: Search, db: Connection[Any]) -> None:
    found = dict(search("node_id, hop", f"{WEIGHTED} AND direction = 'out'"))
    walk = db.execute(
        "SELECT node_id, hop FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
        f" AND query_node_id = {LINKS[0][0]} AND num_heads = 1 AND hops = 100 AND direction = 'out'".encode()
    ).fetchall()
    assert found == dict(walk)


def test_without_self_loops_the_query_node_is_no_row(search: Search) -> None:
    rows = search("node_id, attention_score")
    others = [row for row in rows if row[0] != LINKS[0][0]]
    assert search(clauses=" AND self_loops = false") == others
    assert len(others) == len(rows) - 1


def test_k_cuts(search: Search) -> None:
    assert search(clauses=" AND k = 3") == search()[:3]


def test_a_node_alone_keeps_all(search: Search) -> None:
    assert search("node_id, attention_score, logit, hop", start=35) == [(35, 1.0, 0.0, 0)]
    assert search(clauses=" AND self_loops = false", start=35) == []


def test_missing_nodes_are_no_way_through(search: Search, db: Connection[Any]) -> None:
    db.execute("TRUNCATE links; INSERT INTO links VALUES (1, 2, 1), (2, 3, 1), (1, 99, 1), (99, 4, 1)")
    db.execute("UPDATE nodes SET features = NULL WHERE id = 3")
    assert {row[0] for row in search(start=1)} == {1, 2}


def test_parallel_edges_are_added_and_an_edge_of_weight_0_is_none(
    search: Search, db: Connection[Any]
) -> None:
    db.execute("TRUNCATE links; INSERT INTO links VALUES (1, 2, 1), (1, 2, 2), (1, 3, 1), (1, 4, 0)")
    found = dict(search(clauses=f"{WEIGHTED} AND direction = 'out'", start=1))
    assert found[2] == pytest.approx(3 * found[3], rel=1e-5)
    assert 4 not in found


def test_a_loop_counts_once_in_both_directions(search: Search, db: Connection[Any]) -> None:
    db.execute("TRUNCATE links; INSERT INTO links VALUES (1, 1, 1), (1, 2, 1)")
    weights = {(1, 1): 1.0, (1, 2): 1.0, (2, 1): 1.0}
    assert dict(search(clauses=WEIGHTED, start=1)) == pytest.approx(visits(weights, 1), rel=1e-4)


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        (" AND hops = 2", "hops is 2, ppr_diffusion scores every node that the edges lead to"),
        (" AND num_heads = 4", "num_heads is 4, ppr_diffusion takes whole vectors"),
        (" AND options = '{\"alpha\": 0}'", "alpha is 0, it must lie in (0, 1]"),
        (' AND options = \'{"edge_column": "wait"}\'', 'column "wait" of relation "links" does not exist'),
    ],
)
@pytest.mark.parametrize("explain", ["", "EXPLAIN "])
def test_what_does_not_go_with_it_is_refused(
    db: Connection[Any], clauses: str, message: str, explain: str
) -> None:
    sql = (
        f"{explain}SELECT * FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links' AND"
        f" query_node_id = 1 AND attention_type = 'ppr_diffusion'{clauses}"
    )
    with pytest.raises(psycopg.Error) as caught:
        db.execute(sql.encode())
    assert caught.value.diag.message_primary == message
    assert caught.value.diag.message_hint


@pytest.mark.parametrize(("value", "what"), [("NULL", "NULL or NaN"), ("-1", "-1, it must be at least 0")])
def test_a_weight_that_is_none_names_the_edge(
    search: Search, db: Connection[Any], value: str, what: str
) -> None:
    source, target = LINKS[0]
    db.execute(f"UPDATE links SET weight = {value} WHERE source = %s AND target = %s".encode(), LINKS[0])
    with pytest.raises(
        psycopg.Error, match=f"links.weight of the edge between {source} and {target} is {what}"
    ):
        search(clauses=f"{WEIGHTED} AND direction = 'out'")


def test_it_works_in_attention_over_edges_only(db: Connection[Any]) -> None:
    with pytest.raises(psycopg.Error, match='attention_type "ppr_diffusion" does not work in mha_search'):
        db.execute(
            "SELECT 1 FROM mha_search WHERE table_name = 'nodes' AND query = '{1,1,1,1,1,1}'"
            " AND attention_type = 'ppr'"
        )


@pytest.mark.bundled
def test_explain_says_that_all_edges_are_read(db: Connection[Any]) -> None:
    db.execute("CREATE INDEX ON links (source); CREATE INDEX ON links (target)")
    sql = (
        "EXPLAIN (ANALYZE, COSTS OFF) SELECT 1 FROM gat_search WHERE node_table = 'nodes'"
        " AND edge_table = 'links' AND query_node_id = 1 AND attention_type = 'ppr_diffusion'"
    )
    lines = [row[0].strip() for row in db.execute(sql.encode())]
    assert "Edge Access: all edges, once" in lines
    assert "Weights: exp(<x_i, x_j> / sqrt(d))" in lines
    assert f"Edges Read: {len(LINKS)}" in lines


def test_text_ids_are_found(db: Connection[Any]) -> None:
    db.execute(
        """
        CREATE TABLE people (name text PRIMARY KEY, v real[]);
        INSERT INTO people VALUES ('ann', '{0}'), ('bob', '{1}'), ('cyd', '{0}'), ('dan', '{0}');
        CREATE TABLE knows (source text, target text);
        INSERT INTO knows VALUES ('ann', 'bob'), ('bob', 'cyd');
        CREATE FOREIGN TABLE circle (node_id text, attention_score real, hop int, query_node_id text)
        SERVER ruattn OPTIONS (operation 'gat_search', node_table 'people', edge_table 'knows',
                               attention_type 'ppr', direction 'out');
        """
    )
    found = db.execute("SELECT node_id, hop FROM circle WHERE query_node_id = 'ann'").fetchall()
    assert dict(found) == {"ann": 0, "bob": 1, "cyd": 2}
