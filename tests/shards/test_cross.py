"""Rows of this server ask documents on shards."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.shards.answers import SHARDS, assert_alike, both
from tests.shards.cluster import Cluster

Failure = Callable[..., psycopg.Error]
COLUMNS = "query_id, doc_id, score, logit, rank, lse, document_id_column, document_column, query_column"
ASKING = "query_table = 'asking' AND document_table = 'public.docs'"
CROSS = f"SELECT {COLUMNS} FROM cross_attention WHERE {ASKING}"


@pytest.fixture(autouse=True)
def asking(cluster: Cluster) -> None:
    cluster.db.execute(
        "CREATE OR REPLACE VIEW asking AS SELECT id, embedding FROM docs WHERE id IN (2, 5, 9)"
    )


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("k", ["AND k = 3", ""])
def test_it_is_the_answer_over_all_documents(cluster: Cluster, heads: int, k: str) -> None:
    found = both(cluster, f"{CROSS} AND num_heads = {heads} AND temperature = 0.5 {k}")
    assert len(found[0]) == (9 if k else 270)
    assert_alike(found)


def test_each_query_has_its_own_normaliser(cluster: Cluster) -> None:
    assert_alike(both(cluster, f"{CROSS} AND normaliser = '{{9.5, 8.25, 7}}' AND k = 2"))


@pytest.mark.parametrize("more", ["", "AND normaliser = '{9, 8}'"])
def test_without_a_query_there_is_no_row(cluster: Cluster, more: str) -> None:
    cluster.db.execute("CREATE OR REPLACE VIEW asking AS SELECT id, embedding FROM docs WHERE id < 0")
    assert_alike(both(cluster, f"{CROSS} AND k = 2 {more}"), some=False)


@pytest.mark.parametrize("count", [3, 4, 12])
def test_normalisers_of_another_number_of_heads(cluster: Cluster, failure: Failure, count: int) -> None:
    given = ",".join(["9"] * count)
    statement = f"{CROSS} AND num_heads = 2 AND k = 2 AND normaliser = '{{{given}}}' AND {SHARDS}"
    error = failure(cluster.db, statement)
    assert error.sqlstate == "22023"
    assert "normaliser has" in str(error)
