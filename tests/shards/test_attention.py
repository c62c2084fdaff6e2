"""Outputs and entropies over shards are those over all rows."""

from __future__ import annotations

import pytest

from tests.shards.answers import DOCS, QUERY, assert_alike, both
from tests.shards.cluster import Cluster, lay_out, some_rows

COLUMNS = "query_id, output, entropy, lse, num_heads, id_column, vector_column, value_column, temperature"
ATTENTION = f"SELECT {COLUMNS} FROM attention WHERE {DOCS}"


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("temperature", [0.1, 1, 5])
def test_each_head_is_merged_by_its_own_weights(cluster: Cluster, heads: int, temperature: float) -> None:
    assert_close(
        both(cluster, f"{ATTENTION} AND {QUERY} AND num_heads = {heads} AND temperature = {temperature}")
    )


@pytest.mark.parametrize("mechanism", ["cosine", "linear", "grouped_query", "gatv2"])
def test_mechanisms_with_a_weighted_sum_are_merged(cluster: Cluster, mechanism: str) -> None:
    assert_close(
        both(cluster, f"{ATTENTION} AND {QUERY} AND attention_type = '{mechanism}' AND num_heads = 2")
    )


def test_every_row_of_a_table_here_asks(cluster: Cluster) -> None:
    cluster.db.execute("CREATE OR REPLACE VIEW few AS SELECT id, embedding FROM docs WHERE id < 5")
    found = both(cluster, f"{ATTENTION} AND query_table = 'few' AND num_heads = 2")
    assert [row[0] for row in found[0]] == [1, 2, 3, 4]
    assert_close(found)


def test_over_no_rows_all_is_null(cluster: Cluster) -> None:
    try:
        for connection in (cluster.db, *cluster.shards.values()):
            connection.execute("DELETE FROM docs")
        statement = f"SELECT output, entropy, lse FROM attention WHERE {DOCS} AND {QUERY}"
        assert both(cluster, statement) == ([(None, None, None)], [(None, None, None)])
        cluster.shards["s2"].execute("INSERT INTO docs VALUES (7, '{1,2,3,4,5,6,7,8}')")
        cluster.db.execute("INSERT INTO docs VALUES (7, '{1,2,3,4,5,6,7,8}')")
        assert_close(both(cluster, statement))
    finally:
        lay_out(cluster, some_rows())


def assert_close(found: tuple[list[tuple[object, ...]], list[tuple[object, ...]]]) -> None:
    """Alike, where an element of an output near 0 is as exact as the others."""
    assert_alike(found, near=1e-6)
