"""The table attention_stats: what is counted, for whom, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND num_heads = 2"
COUNTED = (
    "SELECT operation, attention_type, relation::text, calls, rows_scored, cache_hits FROM attention_stats"
)


@pytest.fixture
def docs(db: Connection) -> Connection:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, vec real[])")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 5) i")
    return db


@pytest.fixture
def reader(docs: Connection) -> Iterator[str]:
    """The name of a role that may search."""
    docs.execute("CREATE ROLE stats_reader")
    docs.execute("GRANT SELECT ON docs TO stats_reader")
    yield "stats_reader"
    docs.execute("RESET ROLE; DROP OWNED BY stats_reader; DROP ROLE stats_reader")


def search(connection: Connection, clauses: str = "query = '{1,0,0,0}'", times: int = 1) -> None:
    for _ in range(times):
        connection.execute(f"{SEARCH} AND {clauses}".encode())


def counted(connection: Connection, where: str = "true") -> Rows:
    return connection.execute(f"{COUNTED} WHERE {where}".encode()).fetchall()


def test_searches_are_added_up(docs: Connection) -> None:
    assert counted(docs) == []
    search(docs, times=3)
    assert counted(docs) == [("mha_search", "multi_head", "docs", 3, 15, 2)]
    times = "SELECT ms_read > 0, ms_check > 0, ms_kernel > 0, ms_emit > 0, last_call BETWEEN %s AND now()"
    [(moment,)] = docs.execute("SELECT now() - interval '1 minute'").fetchall()
    assert docs.execute(f"{times} FROM attention_stats".encode(), [moment]).fetchall() == [(True,) * 5]


def test_what_each_operation_counts(docs: Connection) -> None:
    docs.execute("CREATE TABLE edges (source int, target int)")
    docs.execute("INSERT INTO edges VALUES (1, 2), (1, 3)")
    for asked in (
        "score FROM attention_score WHERE query = '{1,2}' AND key = '{2,1}' AND attention_type = 'dot'",
        "output FROM attention WHERE table_name = 'docs' AND query_table = 'docs'",
        "doc_id FROM cross_attention WHERE query_table = 'docs' AND document_table = 'docs' AND k = 1",
        "position FROM sliding_attention WHERE table_name = 'docs' AND order_column = 'id'",
        "hop FROM gat_search WHERE node_table = 'docs' AND edge_table = 'edges' AND query_node_id = 1",
        "expert FROM moe_route WHERE table_name = 'docs'",
        "expert FROM moe_route WHERE embedding = '{1,2}'",
        "name FROM attention_types",
    ):
        docs.execute(f"SELECT {asked}".encode())
    assert {row[:5] for row in counted(docs)} == {
        ("attention_score", "scaled_dot", None, 1, 1),
        ("attention", "scaled_dot", "docs", 1, 25),
        ("cross_attention", "scaled_dot", "docs", 1, 25),
        ("sliding_attention", "scaled_dot", "docs", 1, 5),
        ("gat_search", "gatv2", "docs", 1, 3),
        ("moe_route", "moe", "docs", 1, 5),
        ("moe_route", "moe", None, 1, 1),
    }


def test_functions_and_own_tables_count_as_their_operation(docs: Connection) -> None:
    docs.execute("SELECT * FROM ruvector_mha_search('docs', '{1,0,0,0}', 2, 1)")
    docs.execute(
        "CREATE FOREIGN TABLE mine (id int, query attention_vector) SERVER ruattn "
        "OPTIONS (operation 'mha_search', table_name 'docs', num_heads '2', attention_type 'flash')"
    )
    docs.execute("SELECT id FROM mine WHERE query = '{1,0,0,0}'")
    assert {row[:4] for row in counted(docs)} == {
        ("mha_search", "multi_head", "docs", 1),
        ("mha_search", "flash_v2", "docs", 1),
    }


def test_each_run_of_a_join_counts_and_what_is_not_read_to_its_end(docs: Connection) -> None:
    docs.execute(
        f"SELECT FROM generate_series(1, 3) g, LATERAL ({SEARCH} AND query_id = g LIMIT 1) s".encode()
    )
    assert counted(docs) == [("mha_search", "multi_head", "docs", 3, 15, 2)]


def test_errors_do_not_count(docs: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        search(docs, "query = '{1,0}'")
    assert counted(docs) == []


def test_all_sessions_count_together_also_in_read_only_transactions(
    docs: Connection, connect: Callable[..., Connection]
) -> None:
    search(docs)
    other = connect()
    other.execute("SET default_transaction_read_only = on")
    search(other, times=2)
    assert [row[3] for row in counted(docs)] == [row[3] for row in counted(other)] == [3]


def test_a_role_sees_its_own_calls(docs: Connection, reader: str) -> None:
    search(docs)
    docs.execute(f"SET ROLE {reader}".encode())
    assert counted(docs) == []
    search(docs, times=2)
    assert [row[3] for row in counted(docs)] == [2]
    docs.execute("RESET ROLE")
    assert [row[3] for row in counted(docs)] == [3]
    docs.execute(f"GRANT pg_read_all_stats TO {reader}; SET ROLE {reader}".encode())
    assert [row[3] for row in counted(docs)] == [3]


def test_the_calls_of_a_dropped_relation_keep_its_number(docs: Connection) -> None:
    search(docs)
    [(oid,)] = docs.execute("SELECT 'docs'::regclass::oid::text").fetchall()
    docs.execute("DROP TABLE docs")
    assert [row[2] for row in counted(docs)] == [oid]


def test_a_reset_is_for_superusers_and_those_they_name(docs: Connection, reader: str) -> None:
    search(docs)
    docs.execute(f"SET ROLE {reader}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        docs.execute("SELECT attention_stats_reset()")
    docs.execute("RESET ROLE")
    docs.execute(f"GRANT EXECUTE ON FUNCTION attention_stats_reset() TO {reader}; SET ROLE {reader}".encode())
    docs.execute("SELECT attention_stats_reset()")
    docs.execute("RESET ROLE")
    assert counted(docs) == []


def test_a_reset_leaves_other_databases_alone(docs: Connection, server: Any) -> None:
    search(docs)
    with psycopg.connect(server.uri("ruattn_template"), autocommit=True) as other:
        other.execute("SELECT attention_stats_reset()")
    assert [row[3] for row in counted(docs)] == [1]
