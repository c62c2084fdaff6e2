"""A search of shards gives what one server with all rows gives."""

from __future__ import annotations

import numpy as np
import pytest

from tests.shards.answers import DOCS, QUERY, SHARDS, assert_alike, both
from tests.shards.cluster import Cluster, insert, lay_out, literal, some_rows

COLUMNS = "id, score, logit, rank, head_scores, lse"
SEARCH = f"SELECT {COLUMNS} FROM mha_search WHERE {DOCS}"


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("k", ["AND k = 7", ""])
def test_it_is_the_answer_over_all_rows(cluster: Cluster, heads: int, k: str) -> None:
    found = both(cluster, f"{SEARCH} AND {QUERY} AND num_heads = {heads} AND temperature = 0.2 {k}")
    assert len(found[0]) == (7 if k else 90)
    assert_alike(found)


@pytest.mark.parametrize(
    ("mechanism", "options"),
    [
        ("flash_v2", ""),
        ("cosine", ""),
        ("gaussian_kernel", '"bandwidth": 0.7'),
        ("linear", ""),
        ("performer", '"seed": 3'),
        ("gatv2", ""),
        ("additive", '"init": "seeded"'),
        ("poincare", '"curvature": -0.5, "project": true'),
        ("fisher_rao", ""),
    ],
)
def test_mechanisms_are_asked_with_their_options(cluster: Cluster, mechanism: str, options: str) -> None:
    statement = f"{SEARCH} AND {QUERY} AND attention_type = '{mechanism}' AND k = 9"
    assert_alike(both(cluster, statement, options))


def test_without_the_second_round_rows_would_be_missed(cluster: Cluster) -> None:
    """By a shard's own weights, the best row of all need not be the shard's own best."""
    missed, second = 0, []
    try:
        for seed in range(12):
            random = np.random.default_rng(seed)
            lay_out(cluster, random.standard_normal((90, 8)).astype(np.float32))
            asked = f"query = {literal(random.standard_normal(8))} AND num_heads = 4 AND k = 1"
            statement = f"SELECT id, score FROM mha_search WHERE {DOCS} AND {asked} AND temperature = 0.1"
            assert_alike(found := both(cluster, statement))
            bests = [shard.execute(statement.encode()).fetchall() for shard in cluster.shards.values()]
            missed += found[1][0][0] not in [rows[0][0] for rows in bests]
            plan = cluster.db.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement} AND {SHARDS}".encode())
            second.append("Second Rounds: 1" in [row[0].strip() for row in plan.fetchall()])
    finally:
        lay_out(cluster, some_rows())
    assert 3 <= missed <= sum(second)


def test_one_round_does_where_it_is_proved_to(cluster: Cluster) -> None:
    statement = f"SELECT id, score FROM mha_search WHERE {DOCS} AND {QUERY} AND num_heads = 1 AND k = 5"
    plan = cluster.db.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement} AND {SHARDS}".encode()).fetchall()
    assert not [row for row in plan if "Second Rounds" in row[0]]
    assert_alike(both(cluster, statement))


def test_candidates_are_those_of_all_shards(cluster: Cluster) -> None:
    assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND candidates = '{{3, 7, 8, 55, 1000}}'"))
    assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND candidates = '{{3}}'"))
    assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND candidates = '{{}}'"), some=False)


def test_a_row_of_any_shard_is_the_query(cluster: Cluster) -> None:
    for row in (1, 2, 3):
        assert_alike(both(cluster, f"{SEARCH} AND query_id = {row} AND k = 4"))


def test_a_given_normaliser_is_taken(cluster: Cluster) -> None:
    assert_alike(
        both(cluster, f"{SEARCH} AND {QUERY} AND num_heads = 2 AND normaliser = '{{9.5, 8.25}}' AND k = 4")
    )


def test_a_given_normaliser_raises_weights_that_single_precision_has_lost(cluster: Cluster) -> None:
    """By its shard's own weights the fourth row has a score of 0."""
    logits = [0, -1, -2, -110, -3, -4]
    try:
        lay_out(cluster, np.array([[x, *[0] * 7] for x in logits], np.float32))
        asked = f"query = {literal([8**0.5, *[0] * 7])} AND num_heads = 1 AND normaliser = '{{-70}}'"
        assert_alike(both(cluster, f"{SEARCH} AND {asked} AND k = 6"))
    finally:
        lay_out(cluster, some_rows())


def test_parameters_are_shown_as_they_took_effect(cluster: Cluster) -> None:
    shown = "id, table_name, id_column, vector_column, num_heads, k, temperature, attention_type"
    assert_alike(both(cluster, f"SELECT {shown} FROM mha_search WHERE {DOCS} AND {QUERY} AND k = 3"))
    statement = f"SELECT options FROM mha_search WHERE {DOCS} AND {QUERY} AND {SHARDS} AND k = 1"
    assert cluster.db.execute(statement.encode()).fetchall() == [({"shards": ["s1", "s2", "s3"]},)]


def test_a_shard_without_rows_adds_nothing(cluster: Cluster) -> None:
    try:
        cluster.db.execute("DELETE FROM docs WHERE id % 3 = 1")
        cluster.shards["s2"].execute("DELETE FROM docs")
        assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND k = 5"))
        for connection in (cluster.db, *cluster.shards.values()):
            connection.execute("DELETE FROM docs")
        assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND k = 5"), some=False)
    finally:
        lay_out(cluster, some_rows())


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_shards_keep_their_vectors_as_they_like(cluster: Cluster, dtype: str) -> None:
    declared = f"USING ruvector_attention (embedding) INCLUDE (id) WITH (dtype = '{dtype}')"
    for connection in cluster.shards.values():
        connection.execute(f"CREATE INDEX of_{dtype} ON docs {declared}".encode())
    try:
        answer, expected = both(
            cluster, f"SELECT id, score FROM mha_search WHERE {DOCS} AND {QUERY} AND k = 5"
        )
        if dtype == "int8":
            assert [row[0] for row in answer] == [row[0] for row in expected]
        np.testing.assert_allclose([r[1] for r in answer], [r[1] for r in expected], rtol=1e-2)
    finally:
        for connection in cluster.shards.values():
            connection.execute(f"DROP INDEX of_{dtype}".encode())


def test_what_indexes_of_shards_declare_is_not_asked(cluster: Cluster) -> None:
    cluster.shards["s1"].execute(
        "CREATE INDEX declaring ON docs USING ruvector_attention (embedding) WITH (attention_type = 'cosine')"
    )
    try:
        assert_alike(both(cluster, f"{SEARCH} AND {QUERY} AND k = 5"))
    finally:
        cluster.shards["s1"].execute("DROP INDEX declaring")


def test_a_table_of_ones_own_asks_shards_as_before(cluster: Cluster) -> None:
    declared = "operation 'mha_search', table_name 'public.docs', num_heads '2'"
    for name, options in (("own_whole", ""), ("own_sharded", ', options \'{"shards": ["s1", "s2", "s3"]}\'')):
        cluster.db.execute(
            f"CREATE FOREIGN TABLE {name} (id int, score real, query attention_vector, k int)"
            f" SERVER ruattn OPTIONS ({declared}{options})".encode()
        )
    answers = [
        cluster.db.execute(f"SELECT id, score FROM {name} WHERE {QUERY} AND k = 6".encode()).fetchall()
        for name in ("own_sharded", "own_whole")
    ]
    assert_alike((answers[0], answers[1]))


def test_queries_come_from_a_join_too(cluster: Cluster) -> None:
    joined = f"docs q JOIN mha_search s ON s.query = q.embedding AND s.k = 2 AND s.{DOCS}"
    asked = f"SELECT q.id, s.id, s.score FROM {joined}"
    where = "WHERE q.id <= 3"
    sharded = cluster.db.execute(f"{asked} AND s.{SHARDS} {where} ORDER BY 1, 3 DESC".encode()).fetchall()
    assert_alike((sharded, cluster.db.execute(f"{asked} {where} ORDER BY 1, 3 DESC".encode()).fetchall()))


def test_names_and_texts_are_quoted(cluster: Cluster) -> None:
    """A relation and columns whose names hold what SQL strings and identifiers are made of."""
    name, column = 'o\'"dd \\ "" name', 'it\'s \\ a "column"'
    quoted, quoted_column = ('"' + text.replace('"', '""') + '"' for text in (name, column))
    for connection in (cluster.db, *cluster.shards.values()):
        connection.execute(f"CREATE TABLE {quoted} (id int, {quoted_column} real[])".encode())
        connection.execute(f"INSERT INTO {quoted} SELECT * FROM docs".encode())
    statement = (
        "SELECT id, score FROM mha_search WHERE table_name = %s AND vector_column = %s AND k = 3 AND " + QUERY
    )
    values = [f"public.{quoted}", column]
    for setting in ("on", "off"):
        cluster.db.execute(f"SET standard_conforming_strings = {setting}".encode())
        sharded = cluster.db.execute(f"{statement} AND {SHARDS}".encode(), values).fetchall()
        assert_alike((sharded, cluster.db.execute(statement.encode(), values).fetchall()))
    cluster.db.execute("RESET standard_conforming_strings")


def test_rows_of_two_shards_that_are_equal_come_by_id(cluster: Cluster) -> None:
    vector = np.full(8, 2.0, np.float32)
    try:
        for connection, ids in (
            (cluster.db, (901, 902)),
            (cluster.shards["s1"], (902,)),
            (cluster.shards["s3"], (901,)),
        ):
            insert(connection, ids, np.tile(vector, (len(ids), 1)))
        asked = f"query = {literal(vector)} AND num_heads = 1 AND k = 2"
        assert_alike(found := both(cluster, f"SELECT id, score FROM mha_search WHERE {DOCS} AND {asked}"))
        assert [row[0] for row in found[0]] == [901, 902]
    finally:
        lay_out(cluster, some_rows())


def test_it_is_exact_where_a_session_shows_few_digits(cluster: Cluster) -> None:
    statement = f"SELECT id, score FROM mha_search WHERE {DOCS} AND {QUERY} AND num_heads = 4"
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute("SET LOCAL extra_float_digits = -15")
        cluster.db.execute(f"CREATE TABLE few AS {statement} AND {SHARDS}".encode())
        cluster.db.execute("SET LOCAL extra_float_digits = 1")
        found = cluster.db.execute("SELECT id, score FROM few").fetchall()
        assert_alike((found, cluster.db.execute(statement.encode()).fetchall()))
