"""Shards that are the same, or that do not go together, are an error that says which."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest

from tests.shards.answers import QUERY, SHARDS, assert_alike, both
from tests.shards.cluster import Cluster, declare, import_tables
from tests.shards.test_refusals import said, search_of

Failure = Callable[..., psycopg.Error]


def test_one_database_twice(cluster: Cluster, failure: Failure) -> None:
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute("CREATE SCHEMA again")
        imported = "IMPORT FOREIGN SCHEMA public LIMIT TO (mha_search) FROM SERVER s1_server INTO again"
        cluster.db.execute(imported)
        error = failure(cluster.db, search_of("s1", "again"))
    assert 'shards "s1" and "again" are one database, of server "s1_server"' in said(error)


def test_one_database_under_two_names(cluster: Cluster, failure: Failure) -> None:
    with cluster.db.transaction(force_rollback=True):
        declare(cluster.db, "again", cluster.servers["s1"])
        import_tables(cluster.db, "again")
        error = failure(cluster.db, search_of("s2", "s1", "again"))
    assert '"s1" and "again" are one database, of servers "s1_server" and "again_server"' in said(error)


def test_a_query_is_looked_up_by_the_ids_that_the_shards_have(cluster: Cluster, failure: Failure) -> None:
    """Of a foreign table nobody knows the primary key, so its column `id` was taken for the ids."""
    for connection in (cluster.db, *cluster.shards.values()):
        connection.execute("CREATE TABLE keyed (key int PRIMARY KEY, id int, embedding real[])")
        connection.execute("INSERT INTO keyed SELECT id, 91 - id, embedding FROM docs")
    for schema in cluster.shards:
        imported = f"IMPORT FOREIGN SCHEMA public LIMIT TO (keyed) FROM SERVER {schema}_server INTO {schema}"
        cluster.db.execute(imported.encode())
    asked = "SELECT id, score FROM mha_search WHERE table_name = 'public.keyed' AND query_id = 4 AND k = 3"
    try:
        error = failure(cluster.db, f"{asked} AND {SHARDS}")
        assert error.sqlstate == "22023"
        assert 'looked up by the id_column "id", the shards have "key"' in said(error)
        assert_alike(both(cluster, f"{asked} AND id_column = 'key'"))
        assert_alike(both(cluster, f"{asked} AND id_column = 'id'"))
    finally:
        for schema, connection in cluster.shards.items():
            cluster.db.execute(f"DROP FOREIGN TABLE {schema}.keyed".encode())
            connection.execute("DROP TABLE keyed")
        cluster.db.execute("DROP TABLE keyed")


def test_shards_whose_values_have_other_dimensions(cluster: Cluster, failure: Failure) -> None:
    for name, connection in cluster.shards.items():
        kept = f"embedding[1:{3 if name == 's2' else 4}] AS v"
        connection.execute(f"CREATE VIEW valued AS SELECT id, embedding, {kept} FROM docs".encode())
    columns = "table_name = 'public.valued' AND vector_column = 'embedding' AND value_column = 'v'"
    try:
        error = failure(cluster.db, f"SELECT output FROM attention WHERE {columns} AND {QUERY} AND {SHARDS}")
        assert error.sqlstate == "22000"
        assert re.match(r'shard "s\d" \(server "s\d_server"\) differs from another: output ', said(error))
        assert error.diag.context is None
    finally:
        for connection in cluster.shards.values():
            connection.execute("DROP VIEW valued")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT doc_id FROM cross_attention WHERE query_table = 'docs' AND document_table = ",
        f"SELECT id FROM mha_search WHERE {QUERY} AND table_name = ",
    ],
)
def test_a_relation_whose_rows_come_and_go(cluster: Cluster, failure: Failure, statement: str) -> None:
    """The shards read it anew for each query, and in each round."""
    for connection in cluster.shards.values():
        connection.execute("CREATE SEQUENCE reads")
        connection.execute(
            "CREATE VIEW blinking AS SELECT docs.* FROM docs,"
            " (SELECT nextval('reads') % 2 = 1 AS there OFFSET 0) r WHERE there"
        )
    try:
        error = failure(cluster.db, f"{statement}'public.blinking' AND num_heads = 2 AND {SHARDS}")
        assert (error.sqlstate, "has rows for" in said(error)) == ("0A000", True)
    finally:
        for connection in cluster.shards.values():
            connection.execute("DROP VIEW blinking; DROP SEQUENCE reads")
