"""EXPLAIN says which shards are asked, and with VERBOSE what each is sent."""

from __future__ import annotations

import json
import re

import pytest

from tests.shards.answers import DOCS, QUERY, SHARDS
from tests.shards.cluster import Cluster

DOCUMENTS = "document_table = 'public.docs'"
SEARCH = f"SELECT id FROM mha_search WHERE {DOCS} AND {QUERY} AND k = 3 AND num_heads = 2 AND {SHARDS}"


def plan(cluster: Cluster, options: str, statement: str = SEARCH) -> list[str]:
    rows = cluster.db.execute(f"EXPLAIN ({options}, COSTS OFF) {statement}".encode()).fetchall()
    return [row[0].strip() for row in rows]


def test_it_names_the_shards(cluster: Cluster) -> None:
    assert "Shards: s1 (server s1_server), s2 (server s2_server), s3 (server s3_server)" in plan(
        cluster, "VERBOSE OFF"
    )
    assert not [line for line in plan(cluster, "VERBOSE OFF") if line.startswith("Round")]


def test_every_condition_is_in_the_remote_sql_of_every_shard(cluster: Cluster) -> None:
    rounds = [line for line in plan(cluster, "VERBOSE") if line.startswith("Round")]
    assert [line[:13] for line in rounds] == [f"Round {n} at s{s}" for n in (1, 2) for s in (1, 2, 3)]
    for line in rounds:
        assert ": asynchronous: SELECT " in line
        for condition in (
            "query OPERATOR(public.=) '{1,0.54",
            "table_name = 'public.docs'",
            "num_heads = 2",
            '"name": "s',
        ):
            assert condition in line
        assert re.search(r"\(\(k = 3\)\)" if "Round 1" in line else r"normaliser = .*\(\(k = 3\)\)", line)


def test_a_query_that_is_not_known_yet_is_a_parameter(cluster: Cluster) -> None:
    asked = SEARCH.replace(QUERY, "query = (SELECT embedding FROM docs WHERE id = 1)")
    rounds = [line for line in plan(cluster, "VERBOSE", asked) if line.startswith("Round")]
    assert len(rounds) == 6
    assert all("query OPERATOR(public.=) $1::public.attention_vector" in line for line in rounds)
    assert len(plan(cluster, "VERBOSE", asked.replace("num_heads = 2", "temperature = (SELECT 1)"))) > 6


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT output FROM attention WHERE {DOCS} AND {QUERY} AND {SHARDS}",
        f"SELECT output FROM attention WHERE {DOCS} AND query_table = 'docs' AND {SHARDS}",
        f"SELECT doc_id FROM cross_attention WHERE {DOCUMENTS} AND query_table = 'docs' AND {SHARDS}",
        f"SELECT id FROM mha_search WHERE {DOCS} AND query_id = 3 AND {SHARDS}",
    ],
)
def test_the_other_tables_say_it_too(cluster: Cluster, statement: str) -> None:
    lines = plan(cluster, "VERBOSE", statement)
    assert [line for line in lines if line.startswith("Shards: s1")]
    assert [line for line in lines if line.startswith("Round 1 at s3: asynchronous")]


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT id FROM mha_search WHERE {DOCS} AND {QUERY} AND {SHARDS}",
        f"SELECT output FROM attention WHERE {DOCS} AND {QUERY} AND {SHARDS}",
        f"SELECT doc_id FROM cross_attention WHERE {DOCUMENTS} AND query_table = 'docs' AND {SHARDS}",
    ],
)
def test_of_a_mechanism_that_is_not_known_yet_it_names_the_shards(cluster: Cluster, statement: str) -> None:
    lines = plan(cluster, "VERBOSE", f"{statement} AND attention_type IN ('cosine', 'scaled_dot')")
    assert any(line.startswith("Shards: s1") for line in lines)
    assert not any(line.startswith("Round") for line in lines)


def test_it_asks_no_shard(cluster: Cluster) -> None:
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute("ALTER SERVER s2_server OPTIONS (SET host '/nowhere')")
        assert plan(cluster, "VERBOSE")


def test_other_formats_and_figures(cluster: Cluster) -> None:
    statement = f"EXPLAIN (ANALYZE, VERBOSE, FORMAT json) {SEARCH}"
    [(document,)] = cluster.db.execute(statement.encode()).fetchall()
    found = json.loads(document) if isinstance(document, str) else document
    assert found[0]["Plan"]["Rows From Shards"] == 9 * (1 + found[0]["Plan"].get("Second Rounds", 0))
    assert "Round 2 at s1" in found[0]["Plan"]
