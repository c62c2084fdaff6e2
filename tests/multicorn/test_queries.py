"""The shapes of query that this host takes, and what it says of the others; EXPLAIN never ends the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND num_heads = 1 AND k = 2 AND "
VALUES = [
    "query = (SELECT embedding FROM documents WHERE id = 3)",
    "query = (SELECT embedding::text FROM documents WHERE id = 3)::attention_vector",
    "query = (SELECT embedding::float8[] FROM documents WHERE id = 3)",
    "(SELECT embedding FROM documents WHERE id = 3) = query",
    "query_id = (SELECT 3)",
    "query_id = 3 AND candidates = ARRAY(SELECT id FROM documents)",
    "query_id = 3 AND candidates = (SELECT array_agg(id) FROM documents)",
    "query_id = 3 AND attention_type = 'scaled_dot' AND options = (SELECT '{\"scale\": 0.5}'::jsonb)",
    "query_id = 3 AND temperature = (SELECT 0.5)",
    "query_id = ANY (ARRAY[3])",
]


@pytest.mark.parametrize("clause", VALUES)
def test_a_value_that_is_known_late_is_found_and_explained(documents: Connection, clause: str) -> None:
    found = documents.execute((SEARCH + clause).encode()).fetchall()
    assert found[0] == (3,)
    lines = documents.execute(f"EXPLAIN {SEARCH}{clause}".encode()).fetchall()
    assert any("Mechanism: " in line for (line,) in lines)


def test_a_generic_plan_is_explained(documents: Connection) -> None:
    documents.execute("SET plan_cache_mode = force_generic_plan")
    documents.execute(
        f"PREPARE search (real[], bigint[]) AS {SEARCH} query = $1 AND candidates = $2".encode()
    )
    values = "('{1,0,0,0}', '{1,2,3}')"
    assert len(documents.execute(f"EXECUTE search {values}".encode()).fetchall()) == 2
    assert documents.execute(f"EXPLAIN EXECUTE search {values}".encode()).fetchall()


LATERAL = """
SELECT d.id, s.id FROM documents d CROSS JOIN LATERAL (
    SELECT id FROM mha_search
    WHERE table_name = 'documents' AND query = d.embedding AND num_heads = 1 AND k = 3 OFFSET 0) s
WHERE d.id < 3 AND s.id <> d.id
"""


def test_values_of_another_table_come_laterally_beside_any_other_clause(documents: Connection) -> None:
    found = documents.execute(LATERAL.encode()).fetchall()
    assert [first for first, _ in found] == [1, 1, 2, 2]
    assert all(first != second for first, second in found)


def test_a_plain_join_is_an_error_that_says_so(documents: Connection, failure: Callable[..., Any]) -> None:
    error = failure(documents, LATERAL.replace(" OFFSET 0", ""))
    assert error.sqlstate == "HV000"
    assert "LATERAL (SELECT ... FROM mha_search WHERE ... OFFSET 0)" in error.diag.message_hint


def test_a_list_that_is_no_constant_is_refused(documents: Connection, failure: Callable[..., Any]) -> None:
    error = failure(documents, f"{SEARCH} query_id IN (1, (SELECT 3))")
    assert error.sqlstate == "0A000"


def test_runs_of_a_list_are_merged_in_the_order_asked_for(documents: Connection) -> None:
    query = SEARCH.replace("SELECT id", "SELECT score") + "query_id IN (5, 3, 9) ORDER BY score DESC"
    scores = [score for (score,) in documents.execute(query.encode()).fetchall()]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)


def test_booleans_in_every_form(documents: Connection) -> None:
    documents.execute(
        "CREATE TABLE links AS SELECT i AS source, i % 12 + 1 AS target FROM generate_series(1, 12) i"
    )
    query = (
        "SELECT count(*) FROM gat_search WHERE node_table = 'documents' AND edge_table = 'links' "
        "AND query_node_id = 3"
    )
    for clause, rows in {
        "self_loops": 3,
        "self_loops = true": 3,
        "self_loops IS TRUE": 3,
        "self_loops = (SELECT true)": 3,
        "NOT self_loops": 2,
        "self_loops = false": 2,
        "self_loops IS FALSE": 2,
        "self_loops = (SELECT false)": 2,
    }.items():
        assert documents.execute(f"{query} AND {clause}".encode()).fetchall() == [(rows,)], clause


def test_the_detail_of_an_error_begins_with_its_condition(documents: Connection) -> None:
    documents.execute("""
        CREATE FUNCTION detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
        DECLARE said text;
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN internal_error THEN
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
            RETURN said;
        END $$
    """)
    for query, condition in {
        "SELECT id FROM mha_search WHERE table_name = 'nowhere' AND query = '{1}'": "undefined_table",
        SEARCH + "query = '{1}'": "invalid_parameter_value",
        SEARCH + "query = '{x}'": "data_exception",
        "SELECT id FROM mha_search": "fdw_error",
    }.items():
        found = documents.execute("SELECT detail_of(%s)", [query]).fetchall()[0][0]
        assert found.startswith(f"Condition: {condition}."), found


def test_an_error_of_the_source_with_a_code_of_its_own(documents: Connection) -> None:
    documents.execute("""
        CREATE FUNCTION odd(int) RETURNS int LANGUAGE plpgsql AS $$
        BEGIN RAISE 'odd' USING ERRCODE = 'UA123', DETAIL = 'what', HINT = 'why'; END $$;
        CREATE VIEW odds AS SELECT odd(id) AS id, embedding FROM documents
    """)
    with pytest.raises(psycopg.Error, match="odd") as caught:
        documents.execute("SELECT id FROM mha_search WHERE table_name = 'odds' AND query = '{1,0,0,0}'")
    said = caught.value.diag
    assert (said.message_detail, said.message_hint) == ("Condition: UA123. what", "why")
