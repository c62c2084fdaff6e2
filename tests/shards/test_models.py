"""Learned weights are those of the shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import psycopg
import pytest

from tests.shards.answers import DOCS, QUERY, SHARDS, assert_alike, both
from tests.shards.cluster import Cluster

RANDOM = np.random.default_rng(2)
TENSORS = {f"W_{role}": RANDOM.standard_normal((8, 12)) / 4 for role in "qkv"}
TENSORS |= {"W_o": RANDOM.standard_normal((12, 5))}
MODEL = "model = 'layer' AND num_heads = 2"


@pytest.fixture(autouse=True)
def weights(cluster: Cluster) -> Iterator[None]:
    rows = [("layer", tensor, list(a.shape), a.ravel().tolist()) for tensor, a in TENSORS.items()]
    statement = "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES (%s, %s, %s, %s)"
    for connection in (cluster.db, *cluster.shards.values()):
        connection.cursor().executemany(statement, rows)
    yield
    for connection in (cluster.db, *cluster.shards.values()):
        connection.execute("DELETE FROM ruattn_weights")


def test_a_search_ranks_by_the_shards_weights(cluster: Cluster) -> None:
    asked = f"{DOCS} AND {QUERY} AND {MODEL} AND k = 4"
    found = both(cluster, f"SELECT id, score, lse, model, num_heads FROM mha_search WHERE {asked}")
    assert_alike(found)
    cluster.db.execute("DELETE FROM ruattn_weights")
    statement = f"SELECT id, score, lse, model, num_heads FROM mha_search WHERE {asked} AND {SHARDS}"
    assert cluster.db.execute(statement.encode()).fetchall() == found[0]


@pytest.mark.parametrize("mechanism", ["scaled_dot", "grouped_query"])
def test_a_model_without_a_number_of_heads_has_the_default_of_the_table(
    cluster: Cluster, mechanism: str
) -> None:
    asked = f"query_table = 'docs' AND document_table = 'public.docs' AND attention_type = '{mechanism}'"
    columns = "query_id, doc_id, score, lse, num_heads"
    found = both(
        cluster, f"SELECT {columns} FROM cross_attention WHERE {asked} AND model = 'layer' AND k = 2"
    )
    assert {row[4] for row in found[0]} == {1}
    assert_alike(found)


DECLARED = "USING ruvector_attention (embedding) WITH (attention_type = 'scaled_dot', num_heads = {})"


@pytest.mark.parametrize("heads", [(4, 4, 4), (4, 2, None)])
@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT id, score, lse, num_heads FROM mha_search WHERE {DOCS} AND {QUERY} AND k = 4",
        f"SELECT entropy, lse, num_heads FROM attention WHERE {DOCS} AND {QUERY}",
        "SELECT query_id, doc_id, score, lse, num_heads FROM cross_attention"
        " WHERE query_table = 'docs' AND document_table = 'public.docs' AND k = 2",
    ],
)
def test_indexes_of_shards_say_no_number_of_heads_for_a_model(
    cluster: Cluster, statement: str, heads: tuple[int | None, ...]
) -> None:
    for shard, number in zip(cluster.shards.values(), heads, strict=True):
        if number is not None:
            shard.execute(f"CREATE INDEX declaring ON docs {DECLARED.format(number)}".encode())
    try:
        assert_alike(both(cluster, f"{statement} AND model = 'layer' AND attention_type = 'scaled_dot'"))
    finally:
        for shard in cluster.shards.values():
            shard.execute("DROP INDEX IF EXISTS declaring")


def test_a_projection_of_the_output_needs_all_heads_at_once(
    cluster: Cluster, failure: Callable[..., psycopg.Error]
) -> None:
    error = failure(
        cluster.db, f"SELECT output FROM attention WHERE {DOCS} AND {QUERY} AND {MODEL} AND {SHARDS}"
    )
    assert error.sqlstate == "0A000"
    assert error.diag.message_primary == "attention over shards takes no model of 2 heads"
