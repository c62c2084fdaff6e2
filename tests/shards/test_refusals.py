"""What shards cannot answer, or cannot be asked, is an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.shards.answers import DOCS, QUERY, SHARDS
from tests.shards.cluster import USER, Cluster

Failure = Callable[..., psycopg.Error]
SEARCH = f"SELECT id FROM mha_search WHERE {DOCS} AND {QUERY}"


def search_of(*schemas: str) -> str:
    names = ", ".join(f'"{name}"' for name in schemas)
    return f"{SEARCH} AND options = '{{\"shards\": [{names}]}}'"


def said(error: psycopg.Error) -> str:
    return f"{error.diag.message_primary} | {error.diag.message_hint}"


@pytest.mark.parametrize("name", ["entmax", "top_k", "moe", "differential", "hopfield", "sheaf"])
def test_mechanisms_whose_weights_need_all_rows(cluster: Cluster, failure: Failure, name: str) -> None:
    error = failure(cluster.db, f"{SEARCH} AND {SHARDS} AND attention_type = '{name}'")
    assert (error.sqlstate, f"{name} cannot be asked of shards in mha_search" in said(error)) == (
        "0A000",
        True,
    )


@pytest.mark.parametrize("table", ["attention", "cross_attention"])
def test_in_the_other_tables_too(cluster: Cluster, failure: Failure, table: str) -> None:
    documents = "query_table = 'docs' AND document_table = 'public.docs'"
    asked = {
        "attention": f"{DOCS} AND {QUERY} AND attention_type = 'poincare'",
        "cross_attention": f"{documents} AND attention_type = 'entmax'",
    }
    error = failure(cluster.db, f"SELECT * FROM {table} WHERE {asked[table]} AND {SHARDS}")
    assert error.sqlstate == "0A000"
    assert f"cannot be asked of shards in {table}" in said(error)


def test_a_relation_without_its_schema(cluster: Cluster, failure: Failure) -> None:
    error = failure(
        cluster.db, f"SELECT id FROM mha_search WHERE table_name = 'docs' AND {QUERY} AND {SHARDS}"
    )
    assert (error.sqlstate, "Write table_name = 'public.docs'" in said(error)) == ("22023", True)


@pytest.mark.parametrize("value", ["1", "[]", '["s1", 2]', '["s1", "s1"]', '"s1"', "null"])
def test_shards_that_are_no_list_of_schemas(cluster: Cluster, failure: Failure, value: str) -> None:
    error = failure(cluster.db, f"{SEARCH} AND options = '{{\"shards\": {value}}}'")
    assert (error.sqlstate, '{"shards": ["s1", "s2"]}' in said(error)) == ("22023", True)


def test_an_unknown_option_names_shards_among_the_others(cluster: Cluster, failure: Failure) -> None:
    error = failure(cluster.db, f"{SEARCH} AND options = '{{\"shard_s\": 1}}'")
    assert "mha_search itself takes shards" in said(error)


def test_a_table_that_knows_no_shards(cluster: Cluster, failure: Failure) -> None:
    error = failure(
        cluster.db, f"SELECT * FROM sliding_attention WHERE {DOCS} AND order_column = 'id' AND {SHARDS}"
    )
    assert (error.sqlstate, "'shards'" in said(error)) == ("22023", True)


def test_a_schema_without_the_table(cluster: Cluster, failure: Failure) -> None:
    error = failure(cluster.db, search_of("s1", "nowhere"))
    assert (error.sqlstate, 'shard "nowhere" has no foreign table mha_search' in said(error)) == (
        "42P01",
        True,
    )
    assert "IMPORT FOREIGN SCHEMA" in said(error)


def test_a_schema_with_another_table(cluster: Cluster, failure: Failure) -> None:
    error = failure(cluster.db, search_of("public"))
    assert (error.sqlstate, "public.mha_search is no foreign table of postgres_fdw" in said(error)) == (
        "0A000",
        True,
    )


def test_a_server_that_is_not_told_of_the_extension(cluster: Cluster, failure: Failure) -> None:
    cluster.db.execute("ALTER SERVER s2_server OPTIONS (DROP extensions)")
    try:
        error = failure(cluster.db, search_of("s1", "s2"))
        assert error.sqlstate == "0A000"
        assert 'shard "s2" (server "s2_server")' in said(error)
        assert "ALTER SERVER \"s2_server\" OPTIONS (ADD extensions 'ruattn_fdw')" in said(error)
    finally:
        cluster.db.execute("ALTER SERVER s2_server OPTIONS (ADD extensions 'ruattn_fdw')")


def test_a_table_of_another_version(cluster: Cluster, failure: Failure) -> None:
    cluster.db.execute("ALTER FOREIGN TABLE s3.mha_search DROP COLUMN normaliser")
    try:
        error = failure(cluster.db, search_of("s3"))
        assert (error.sqlstate, "has not a column normaliser" in said(error)) == ("0A000", True)
    finally:
        cluster.db.execute("ALTER FOREIGN TABLE s3.mha_search ADD COLUMN normaliser double precision[]")


def test_a_shard_is_asked_by_its_own_version_only(cluster: Cluster, failure: Failure) -> None:
    asked = '\'{"shard": {"name": "s9", "version": "9.9.9"}}\''
    error = failure(cluster.shards["s1"], f"{SEARCH} AND options = {asked}")
    assert (error.sqlstate, 'shard "s9" has 9.9.9' in said(error)) == ("0A000", True)
    error = failure(cluster.db, f'{SEARCH} AND options = \'{{"shard": "s1"}}\'')
    assert "Give shards instead" in said(error)


def test_the_shards_own_errors_name_it(cluster: Cluster, failure: Failure) -> None:
    cluster.shards["s2"].execute("ALTER TABLE docs RENAME TO docks")
    try:
        error = failure(cluster.db, f"{SEARCH} AND {SHARDS}")
        assert error.sqlstate == "42P01"
        assert (
            error.diag.message_primary
            == 'shard "s2" (server "s2_server"): relation "public.docs" does not exist'
        )
        assert "UNION ALL" not in str(error.diag.context)
    finally:
        cluster.shards["s2"].execute("ALTER TABLE docks RENAME TO docs")


def test_a_row_that_is_nowhere_or_twice_is_no_query(cluster: Cluster, failure: Failure) -> None:
    asked = f"SELECT id FROM mha_search WHERE {DOCS} AND {SHARDS} AND query_id = "
    assert "is in 0 rows" in said(failure(cluster.db, f"{asked} 1000"))
    cluster.shards["s1"].execute("INSERT INTO docs SELECT 1, embedding FROM docs LIMIT 1")
    try:
        assert "is in 2 rows" in said(failure(cluster.db, f"{asked} 1"))
    finally:
        cluster.shards["s1"].execute("DELETE FROM docs WHERE id = 1")


def test_a_query_by_its_id_needs_the_relation_too(cluster: Cluster, failure: Failure) -> None:
    cluster.db.execute("ALTER FOREIGN TABLE s3.docs RENAME TO hidden")
    try:
        error = failure(cluster.db, f"SELECT id FROM mha_search WHERE {DOCS} AND {SHARDS} AND query_id = 1")
        assert (error.sqlstate, 'LIMIT TO (docs) FROM SERVER "s3_server"' in said(error)) == ("42P01", True)
    finally:
        cluster.db.execute("ALTER FOREIGN TABLE s3.hidden RENAME TO docs")


def test_a_name_that_holds_sql_is_a_name(cluster: Cluster, failure: Failure) -> None:
    name = "x;select/**/1/0"
    for schema in cluster.shards:
        rows = f"SELECT id, embedding FROM docs WHERE id = 1 AND '{schema}' = 's1'"
        cluster.db.execute(f'CREATE TABLE {schema}."{name}" AS {rows}'.encode())
    try:
        asked = f"SELECT id FROM mha_search WHERE table_name = 'public.{name}' AND query_id = 1"
        error = failure(cluster.db, f"{asked} AND id_column = 'id' AND {SHARDS}")
        assert (error.sqlstate, f'relation "public.{name}" does not exist' in str(error)) == ("42P01", True)
    finally:
        for schema in cluster.shards:
            cluster.db.execute(f'DROP TABLE {schema}."{name}"'.encode())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("id int, title text", 'column "title" would be read from public.docs, which lies on shards'),
        ("id uuid, k int", "the ids of shards are integers, those of this table have type uuid"),
    ],
)
def test_columns_that_shards_do_not_give(
    cluster: Cluster, failure: Failure, columns: str, message: str
) -> None:
    declared = "operation 'mha_search', table_name 'public.docs', options '{\"shards\": [\"s1\"]}'"
    own = f"CREATE FOREIGN TABLE own ({columns}, query attention_vector) SERVER ruattn OPTIONS ({declared})"
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute(own.encode())
        error = failure(cluster.db, f"SELECT * FROM own WHERE {QUERY}")
    assert (error.sqlstate, message in said(error)) == ("0A000", True)


def test_roles_use_their_own_rights_and_mappings(cluster: Cluster, failure: Failure) -> None:
    cluster.db.execute("CREATE ROLE reader; GRANT USAGE ON SCHEMA s1, s2, s3, public TO reader")
    mapping = "USER MAPPING FOR reader SERVER s1_server OPTIONS"
    steps = [
        (
            "42501",
            "permission denied for foreign table mha_search",
            "GRANT SELECT ON s1.mha_search TO reader",
        ),
        ("42704", "there is no user mapping for you", f"CREATE {mapping} (user '{USER}')"),
        ("2F003", "password", f"ALTER {mapping} (ADD password_required 'false')"),
    ]
    try:
        for sqlstate, message, remedy in steps:
            cluster.db.execute("SET ROLE reader")
            error = failure(cluster.db, search_of("s1"))
            assert (error.sqlstate, 'shard "s1"' in said(error), message in said(error)) == (
                sqlstate,
                True,
                True,
            )
            cluster.db.execute("RESET ROLE")
            cluster.db.execute(remedy.encode())
        cluster.db.execute("SET ROLE reader")
        assert cluster.db.execute(search_of("s1").encode()).fetchall()
    finally:
        cluster.db.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_a_server_that_lacks_the_extension(cluster: Cluster, failure: Failure) -> None:
    """The tables were imported, and then the shard's database lost them."""
    cluster.shards["s1"].execute("CREATE DATABASE bare")
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute("ALTER SERVER s1_server OPTIONS (SET dbname 'bare')")
        error: Any = failure(cluster.db, search_of("s1", "s2"))
    cluster.shards["s1"].execute("DROP DATABASE bare WITH (FORCE)")
    assert (error.sqlstate, 'shard "s1" (server "s1_server")' in said(error)) == ("42P01", True)


def test_a_shard_that_lost_the_row_of_the_query_is_named(cluster: Cluster, failure: Failure) -> None:
    cluster.shards["s2"].execute("ALTER TABLE docs RENAME TO docks")
    try:
        error = failure(cluster.db, f"SELECT id FROM mha_search WHERE {DOCS} AND {SHARDS} AND query_id = 1")
        assert (error.sqlstate, 'shard "s2" (server "s2_server")' in said(error)) == ("42P01", True)
    finally:
        cluster.shards["s2"].execute("ALTER TABLE docks RENAME TO docs")


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ("query_id uuid", "query_id = md5('7')::uuid"),
        ("query attention_vector, candidates uuid[]", f"{QUERY} AND candidates = ARRAY[md5('7')::uuid]"),
    ],
)
def test_ids_that_are_no_integers(cluster: Cluster, failure: Failure, columns: str, asked: str) -> None:
    declared = "operation 'mha_search', table_name 'public.docs', options '{\"shards\": [\"s1\"]}'"
    own = f"CREATE FOREIGN TABLE own (score real, {columns}) SERVER ruattn OPTIONS ({declared})"
    with cluster.db.transaction(force_rollback=True):
        cluster.db.execute(own.encode())
        error = failure(cluster.db, f"SELECT * FROM own WHERE {asked}")
    assert (str(error.sqlstate)[:3], "integers that are unique over all shards" in said(error)) == (
        "220",
        True,
    )


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT id FROM mha_search WHERE {DOCS} AND {QUERY} AND temperature = 1e-12",
        f"SELECT output FROM attention WHERE {DOCS} AND {QUERY} AND temperature = 1e-12",
    ],
)
def test_log_sum_exps_too_large_to_tell_weights(cluster: Cluster, failure: Failure, statement: str) -> None:
    """As double precision has them, the number of rows with the same logit is lost."""
    assert cluster.db.execute(statement.encode()).fetchall()
    error = failure(cluster.db, f"{statement} AND {SHARDS}")
    assert (error.sqlstate, "too large to weigh" in said(error)) == ("22003", True)
