"""Queries of a table go to each shard many at a time, and each has the answer that it would have alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import psycopg
import pytest

from tests.shards.answers import DOCS, SHARDS, assert_alike, both
from tests.shards.cluster import Cluster, lay_out, some_rows

CROSS = "SELECT query_id, doc_id, score, logit, rank, lse FROM cross_attention WHERE "
CROSS += "query_table = 'asking' AND document_table = 'public.docs'"
ATTENTION = f"SELECT query_id, output, entropy, lse FROM attention WHERE {DOCS} AND query_table = 'asking'"

Ask = Callable[[np.ndarray], None]
Failure = Callable[..., psycopg.Error]


@pytest.fixture
def ask(cluster: Cluster) -> Iterator[Ask]:
    """Makes vectors, NULL where they are not finite, the rows of `asking`, with ids from 1."""
    cluster.db.execute("CREATE TABLE asking (id int PRIMARY KEY, embedding real[])")

    def fill(vectors: np.ndarray) -> None:
        rows = [(row, v.tolist() if np.isfinite(v).all() else None) for row, v in enumerate(vectors, 1)]
        cluster.db.cursor().executemany("INSERT INTO asking VALUES (%s, %s::real[])", rows)

    yield fill
    cluster.db.execute("DROP TABLE asking")


def vectors(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("k", ["AND k = 4", ""])
def test_a_thousand_queries(cluster: Cluster, ask: Ask, heads: int, k: str) -> None:
    ask(vectors(1000 if k else 300))
    found = both(cluster, f"{CROSS} AND num_heads = {heads} AND temperature = 0.3 {k}")
    assert len(found[0]) == (4000 if k else 27000)
    assert_alike(found)


@pytest.mark.parametrize("heads", [1, 8])
def test_a_thousand_outputs(cluster: Cluster, ask: Ask, heads: int) -> None:
    ask(vectors(1000))
    found = both(cluster, f"{ATTENTION} AND num_heads = {heads} AND temperature = 0.3")
    assert len(found[0]) == 1000
    assert_alike(found, near=1e-6)


def test_without_the_second_round_rows_would_be_missed(cluster: Cluster, ask: Ask) -> None:
    """By a shard's own weights, the best row of all need not be the shard's own best."""
    ask(vectors(200))
    statement = f"{CROSS} AND num_heads = 4 AND temperature = 0.1 AND k = 1"
    assert_alike(found := both(cluster, statement))
    cluster_bests = set()
    for shard in cluster.shards.values():
        shard.execute("CREATE TABLE asking (id int PRIMARY KEY, embedding real[])")
        shard.cursor().executemany(
            "INSERT INTO asking VALUES (%s, %s)",
            cluster.db.execute("SELECT id, embedding FROM asking").fetchall(),
        )
        cluster_bests |= {row[:2] for row in shard.execute(statement.encode()).fetchall()}
        shard.execute("DROP TABLE asking")
    missed = [row for row in found[1] if row[:2] not in cluster_bests]
    plan = explained(cluster, f"{statement} AND {SHARDS}")
    [second] = [int(line.split()[-1]) for line in plan if line.startswith("Second Rounds")]
    assert 10 <= len(missed) <= second <= 200


def test_queries_that_are_alike_or_without_a_vector(cluster: Cluster, ask: Ask) -> None:
    queries = vectors(9)[[0, 1, 0, 2, 2, 2, 3, 4, 5]]
    queries[3] = queries[8] = np.nan
    ask(queries)
    for heads in (1, 2):
        assert_alike(found := both(cluster, f"{CROSS} AND num_heads = {heads} AND k = 3"))
        assert [row[0] for row in found[0][::3]] == [1, 2, 3, 5, 6, 7, 8]
        assert_alike(both(cluster, f"{ATTENTION} AND num_heads = {heads}"), near=1e-6)


def test_one_query(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(1))
    assert_alike(both(cluster, f"{CROSS} AND k = 3"))
    assert_alike(both(cluster, ATTENTION), near=1e-6)


@pytest.mark.parametrize(
    ("mechanism", "options"),
    [
        ("cosine", ""),
        ("linear", ""),
        ("performer", '"seed": 3'),
        ("grouped_query", ""),
        ("gatv2", ""),
        ("additive", '"init": "seeded"'),
        ("poincare", '"curvature": -0.5, "project": true'),
    ],
)
def test_mechanisms(cluster: Cluster, ask: Ask, mechanism: str, options: str) -> None:
    ask(vectors(40))
    assert_alike(both(cluster, f"{CROSS} AND attention_type = '{mechanism}' AND k = 5", options))


def test_candidates_are_those_of_all_shards(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(20))
    for candidates, some in (("3, 7, 8, 55, 1000", True), ("3", True), ("", True)):
        found = both(cluster, f"{ATTENTION} AND candidates = '{{{candidates}}}' AND num_heads = 2", "")
        assert_alike(found, some=some, near=1e-6)
        assert len(found[0]) == 20


def test_each_query_has_its_own_normaliser(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(30))
    given = ",".join(str(9 + 0.1 * place) for place in range(60))
    for k in ("AND k = 2", ""):
        assert_alike(both(cluster, f"{CROSS} AND num_heads = 2 AND normaliser = '{{{given}}}' {k}"))


def test_a_shard_without_rows_adds_nothing(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(20))
    try:
        cluster.db.execute("DELETE FROM docs WHERE id % 3 = 1")
        cluster.shards["s2"].execute("DELETE FROM docs")
        for heads in (1, 2):
            assert_alike(both(cluster, f"{CROSS} AND num_heads = {heads} AND k = 40"))
            assert_alike(both(cluster, f"{ATTENTION} AND num_heads = {heads}"), near=1e-6)
    finally:
        lay_out(cluster, some_rows())


@pytest.mark.parametrize("dtype", ["int8", "float16"])
@pytest.mark.parametrize("heads", [1, 2])
def test_shards_keep_their_vectors_as_they_like(cluster: Cluster, ask: Ask, dtype: str, heads: int) -> None:
    ask(vectors(30))
    declared = f"USING ruvector_attention (embedding) INCLUDE (id) WITH (dtype = '{dtype}')"
    for connection in cluster.shards.values():
        connection.execute(f"CREATE INDEX of_{dtype} ON docs {declared}".encode())
    try:
        answer, expected = both(cluster, f"{CROSS} AND num_heads = {heads} AND k = 5")
        if dtype == "int8":
            assert [row[:2] for row in answer] == [row[:2] for row in expected]
        np.testing.assert_allclose([r[2] for r in answer], [r[2] for r in expected], rtol=1e-2)
    finally:
        for connection in cluster.shards.values():
            connection.execute(f"DROP INDEX of_{dtype}".encode())


def test_each_shard_reads_its_rows_once_for_a_block_and_a_round(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(600))
    for connection in cluster.shards.values():
        connection.execute(
            "CREATE SEQUENCE reads; CREATE VIEW counted AS "
            "SELECT docs.* FROM docs, (SELECT nextval('reads') OFFSET 0) r"
        )
    try:
        for statement, rounds in ((f"{CROSS} AND num_heads = 1 AND k = 2", 1), (ATTENTION, 2)):
            asked = statement.replace("docs", "counted")
            assert len(cluster.db.execute(f"{asked} AND {SHARDS}".encode()).fetchall()) >= 600
            for connection in cluster.shards.values():
                [(reads,)] = connection.execute("SELECT last_value FROM reads").fetchall()
                assert reads == 3 * rounds
                connection.execute("ALTER SEQUENCE reads RESTART")
    finally:
        for connection in cluster.shards.values():
            connection.execute("DROP VIEW counted; DROP SEQUENCE reads")


def explained(cluster: Cluster, statement: str) -> list[str]:
    rows = cluster.db.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}".encode()).fetchall()
    return [row[0].strip() for row in rows]


def test_an_error_names_the_shard_and_does_not_repeat_all_queries(
    cluster: Cluster, ask: Ask, failure: Failure
) -> None:
    ask(vectors(256))
    cluster.shards["s2"].execute("ALTER TABLE docs RENAME TO docks")
    try:
        for statement in (CROSS, ATTENTION):
            error = failure(cluster.db, f"{statement} AND {SHARDS}")
            start = 'shard "s2" (server "s2_server"): relation "public.docs" does not exist'
            assert (error.sqlstate, error.diag.message_primary) == ("42P01", start)
            assert "remote SQL command" in str(error.diag.context)
            assert len(str(error.diag.context)) < 2000
    finally:
        cluster.shards["s2"].execute("ALTER TABLE docks RENAME TO docs")


def test_explain_shows_how_many_go_together(cluster: Cluster, ask: Ask) -> None:
    ask(vectors(2))
    for statement, most in ((f"{CROSS} AND k = 200", 81), (CROSS, 256), (ATTENTION, 256)):
        rows = cluster.db.execute(f"EXPLAIN (VERBOSE) {statement} AND {SHARDS}".encode()).fetchall()
        [sent] = [row[0] for row in rows if "Round 1 at s2" in row[0]]
        assert "query OPERATOR(public.=) $1::public.attention_vector" in sent
        assert f'"queries": {most}' in sent
