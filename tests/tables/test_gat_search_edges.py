"""gat_search over edges that carry weights or features."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

FEATURES = {1: [0.0, 0.0], 2: [0.5, 0.0], 3: [0.0, 1.0], 4: [1.0, 1.0]}
LINKS = [(1, 2, 2.0), (1, 3, 0.5), (4, 1, 3.0), (2, 4, 1.0)]
Search = Callable[..., Any]


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE nodes (id int PRIMARY KEY, features real[])")
    db.execute("CREATE TABLE links (source int, target int, weight real, kind real[], note text)")
    db.cursor().executemany("INSERT INTO nodes VALUES (%s, %s)", list(FEATURES.items()))
    db.cursor().executemany("INSERT INTO links VALUES (%s, %s, %s)", LINKS)
    db.execute("UPDATE links SET kind = ARRAY[weight, source]")
    return db


@pytest.fixture(params=["without indexes", "with indexes"])
def search(db: Connection[Any], request: pytest.FixtureRequest) -> Search:
    """Rows (node_id, attention_score, logit, hop) of edge_featured_gat from node 1, with these options."""
    if request.param == "with indexes":
        db.execute("CREATE INDEX ON links (source); CREATE INDEX ON links (target)")

    def run(options: str = '{"version": 2, "edge_column": "weight"}', clauses: str = "") -> list[Any]:
        sql = (
            "SELECT node_id, attention_score, logit, hop FROM gat_search WHERE node_table = 'nodes' AND"
            " edge_table = 'links' AND query_node_id = 1 AND attention_type = 'edge_featured_gat'"
            f" AND num_heads = 1 AND options = '{options}'{clauses}"
        )
        return db.execute(sql.encode()).fetchall()

    return run


def expected(weights: dict[int, float], node: int = 1) -> dict[int, float]:
    """The scores of the neighbours of a node by distance and weight."""
    apart = {n: np.abs(np.subtract(FEATURES[node], FEATURES[n])).sum() for n in weights}
    shares = {n: weight * np.exp(-apart[n]) for n, weight in weights.items()}
    return {n: share / sum(shares.values()) for n, share in shares.items()}


def scores(rows: list[Any]) -> dict[int, float]:
    return {row[0]: row[1] for row in rows}


@pytest.mark.parametrize(
    ("direction", "weights"),
    [("out", {2: 2.0, 3: 0.5}), ("in", {4: 3.0}), ("both", {2: 2.0, 3: 0.5, 4: 3.0})],
)
def test_weights_count_in_each_direction(search: Search, direction: str, weights: dict[int, float]) -> None:
    found = search(clauses=f" AND direction = '{direction}' AND self_loops = false")
    assert scores(found) == pytest.approx(expected(weights), rel=1e-5)
    for node, _, logit, _ in found:
        apart = np.abs(np.subtract(FEATURES[1], FEATURES[node])).sum()
        assert logit == pytest.approx(np.log(weights[node]) - apart, rel=1e-5)


def test_the_loop_of_a_node_has_its_mean_weight(search: Search) -> None:
    weights = {2: 2.0, 3: 0.5, 4: 3.0}
    assert scores(search()) == pytest.approx(expected({**weights, 1: np.mean([*weights.values()])}), rel=1e-5)


def test_weights_of_parallel_edges_are_added(search: Search, db: Connection[Any]) -> None:
    db.execute("INSERT INTO links VALUES (1, 2, 0.25), (2, 1, 1.75)")
    found = search(clauses=" AND self_loops = false")
    assert scores(found) == pytest.approx(expected({2: 4.0, 3: 0.5, 4: 3.0}), rel=1e-5)


def test_a_loop_among_the_edges_counts_once_in_both_directions(search: Search, db: Connection[Any]) -> None:
    db.execute("INSERT INTO links VALUES (1, 1, 0.75)")
    assert scores(search()) == pytest.approx(expected({1: 0.75, 2: 2.0, 3: 0.5, 4: 3.0}), rel=1e-5)


def test_weights_count_on_the_second_hop(search: Search) -> None:
    found = {row[0]: (row[1], row[3]) for row in search(clauses=" AND hops = 2 AND direction = 'out'")}
    first = expected({2: 2.0, 3: 0.5, 1: 1.25})[2]
    assert found[4] == (pytest.approx(first * expected({4: 1.0, 2: 1.0}, node=2)[4], rel=1e-5), 2)


def test_without_weights_it_is_gatv2(search: Search, db: Connection[Any]) -> None:
    sql = (
        "SELECT node_id, attention_score, logit, hop FROM gat_search WHERE node_table = 'nodes'"
        " AND edge_table = 'links' AND query_node_id = 1 AND num_heads = 1"
    )
    plain = db.execute(sql.encode()).fetchall()
    assert search('{"version": 2}') == plain
    db.execute("UPDATE links SET weight = 1")
    assert search() == plain


@pytest.mark.parametrize("column", ["weight", "kind"])
@pytest.mark.parametrize("version", [1, 2])
def test_untrained_weights_take_numbers_and_vectors(
    search: Search, db: Connection[Any], column: str, version: int
) -> None:
    notices: list[str] = []
    db.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    found = search(f'{{"init": "seeded", "version": {version}, "edge_column": "{column}"}}')
    assert sum(scores(found).values()) == pytest.approx(1, abs=1e-6)
    assert notices == ["the weights of edge_featured_gat are untrained: drawn at random, nothing is learned"]


def test_vectors_may_be_found_in_one_direction_only_or_in_none(search: Search, db: Connection[Any]) -> None:
    options = '{"init": "seeded", "edge_column": "kind"}'
    db.execute("DELETE FROM links WHERE target = 1")
    assert set(scores(search(options))) == {1, 2, 3}
    db.execute("TRUNCATE links")
    assert scores(search(options)) == {1: 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("NULL", "links.weight of the edge between 1 and 3 is NULL or NaN"),
        ("'NaN'", "links.weight of the edge between 1 and 3 is NULL or NaN"),
        ("'Infinity'", "links.weight of the edge between 1 and 3 is infinite"),
        ("0", "links.weight of the edge between 1 and 3 is 0, it must be greater than 0"),
        ("-2", "links.weight of the edge between 1 and 3 is -2, it must be greater than 0"),
    ],
)
def test_a_weight_that_is_none_is_an_error_that_names_the_edge(
    search: Search, db: Connection[Any], value: str, message: str
) -> None:
    db.execute(f"UPDATE links SET weight = {value} WHERE target = 3".encode())
    with pytest.raises(psycopg.Error) as caught:
        search(clauses=" AND direction = 'out'")
    assert (caught.value.diag.message_primary, caught.value.sqlstate[:2]) == (message, "22")  # type: ignore[index]
    assert caught.value.diag.message_hint


def test_a_vector_that_is_missing_is_an_error(search: Search, db: Connection[Any]) -> None:
    db.execute("UPDATE links SET kind = NULL WHERE target = 3")
    with pytest.raises(psycopg.Error, match=r"links\.kind of 1 edges is NULL"):
        search('{"init": "seeded", "edge_column": "kind"}', " AND direction = 'out'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{}", "edge_featured_gat of version 1 needs trained weights, and none are given"),
        ('{"init": "seeded"}', "edge_featured_gat with untrained weights needs features of the edges"),
        ('{"version": 3}', "version is 3, it must lie in [1, 2]"),
        ('{"version": 2, "edge_column": "wait"}', 'column "wait" of relation "links" does not exist'),
        (
            '{"version": 2, "edge_column": "note"}',
            "links.note has type text, edge_column takes numbers or vectors",
        ),
        (
            '{"version": 2, "edge_column": "kind"}',
            "edge_column holds vectors of 2 dimensions, weights of edges are numbers",
        ),
    ],
)
def test_options_that_do_not_work_say_what_does(search: Search, options: str, message: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        search(options)
    assert caught.value.diag.message_primary == message
    assert caught.value.diag.message_hint


@pytest.mark.bundled
def test_explain_names_the_column(db: Connection[Any]) -> None:
    sql = (
        "EXPLAIN (COSTS OFF) SELECT 1 FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links' AND"
        " query_node_id = 1 AND attention_type = 'edge_featured_gat' AND num_heads = 1"
        """ AND options = '{"version": 2, "edge_column": "weight"}'"""
    )
    lines = [row[0].strip() for row in db.execute(sql.encode())]
    assert "Weights: metric, -||h_i - h_j||_1 + ln weight" in lines
    assert "Edges: public.links (source, target, weight)" in lines


@pytest.mark.bundled
def test_text_ids_are_named_in_errors_and_found(db: Connection[Any]) -> None:
    db.execute(
        """
        CREATE TABLE people (name text PRIMARY KEY, v real[]);
        INSERT INTO people VALUES ('ann', '{0}'), ('bob', '{1}'), ('cyd', '{0}');
        CREATE TABLE knows (source text, target text, weight numeric);
        INSERT INTO knows VALUES ('ann', 'bob', 2), ('ann', 'cyd', 1), ('cyd', 'bob', 1);
        CREATE FOREIGN TABLE circle (node_id text, attention_score real, query_node_id text, options jsonb)
        SERVER ruattn OPTIONS (operation 'gat_search', node_table 'people', edge_table 'knows',
                               num_heads '1', attention_type 'edge_featured_gat', self_loops 'false');
        """
    )
    sql = (
        "SELECT node_id, attention_score FROM circle WHERE query_node_id = 'ann'"
        """ AND options = '{"version": 2, "edge_column": "weight"}'"""
    )
    found = dict(db.execute(sql.encode()).fetchall())
    share = 2 * np.exp(-1)
    assert found == pytest.approx({"bob": share / (1 + share), "cyd": 1 / (1 + share)}, rel=1e-5)
    db.execute("UPDATE knows SET weight = NULL WHERE target = 'cyd'")
    with pytest.raises(psycopg.Error, match=r"knows\.weight of the edge between ann and cyd is NULL or NaN"):
        db.execute(sql.encode())
