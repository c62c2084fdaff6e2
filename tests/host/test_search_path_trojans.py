"""Look-ups of our own take nothing from a schema that stands before pg_catalog in the caller's path."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Failure = Callable[..., psycopg.Error]

SEARCH = "SELECT FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"
TRAPS = """
CREATE SCHEMA trojan;
DO $$
DECLARE
    relations text[] := '{pg_class,pg_namespace,pg_extension,pg_attribute,pg_type,pg_index,ruattn_weights}';
    functions text[] := '{concat,format_type,current_setting,has_schema_privilege,pg_has_role}';
    t regtype; operator text; called text;
BEGIN
    FOREACH t IN ARRAY '{name, "char", oid, smallint, bigint, boolean}'::regtype[] LOOP
        EXECUTE format('CREATE FUNCTION trojan.trap(%s, %s) RETURNS boolean LANGUAGE plpgsql'
                       ' AS ''BEGIN RAISE ''''trapped''''; END''', t, t);
        FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR trojan.%s (FUNCTION = trojan.trap, LEFTARG = %s, RIGHTARG = %s)',
                           operator, t, t);
        END LOOP;
    END LOOP;
    FOREACH called IN ARRAY relations LOOP
        EXECUTE format('CREATE TABLE trojan.%I (oid oid, name text)', called);
    END LOOP;
    FOREACH called IN ARRAY functions LOOP
        EXECUTE format('CREATE FUNCTION trojan.%s(VARIADIC text[]) RETURNS text LANGUAGE plpgsql'
                       ' AS ''BEGIN RAISE ''''trapped''''; END''', called);
    END LOOP;
END $$
"""


@pytest.fixture
def trapped(documents: Connection[Any]) -> Connection[Any]:
    """A session whose path begins with a schema of traps."""
    documents.execute(
        f"""
        {TRAPS};
        CREATE TABLE links (source int, target int);
        CREATE INDEX ON links (source); CREATE INDEX ON links (target);
        INSERT INTO links VALUES (1, 2), (2, 3);
        CREATE TABLE named (id text PRIMARY KEY, v real[]); INSERT INTO named VALUES ('a', '{{1,0}}');
        CREATE FOREIGN TABLE mine (id text, query attention_vector, candidates text[])
            SERVER ruattn OPTIONS (operation 'mha_search', table_name 'named', num_heads '1');
        CREATE INDEX ON documents USING ruvector_attention (embedding) INCLUDE (id);
        INSERT INTO ruattn_weights (name, tensor, shape, data)
            VALUES ('learned', 'W_q', '{{2,2}}', '{{1,0,0,1}}');
        SET search_path = trojan, pg_catalog, public
    """.encode()
    )
    return documents


def test_tables_and_functions(trapped: Connection[Any]) -> None:
    for statement, rows in {
        "SELECT FROM ruattn_diag() WHERE item = 'extension' AND ok": 1,
        "SELECT FROM attention_indexes": 1,
        "SELECT FROM attention_stats": 0,
        f"{SEARCH} AND candidates = '{{1,2}}'": 2,
        f"{SEARCH} AND model = 'learned'": 3,
        "SELECT FROM mine WHERE query = '{1,0}' AND candidates = '{a}'": 1,
        "SELECT FROM gat_search WHERE node_table = 'documents' AND edge_table = 'links'"
        " AND query_node_id = 1 AND num_heads = 1": 2,
    }.items():
        assert trapped.execute(statement.encode()).rowcount == rows, statement


def test_the_search_for_a_name_to_hint_at(trapped: Connection[Any], failure: Failure) -> None:
    error = failure(trapped, SEARCH.replace("documents", "document"))
    assert error.diag.message_hint == 'Perhaps you meant "documents".'


def test_a_schema_that_is_imported(trapped: Connection[Any]) -> None:
    trapped.execute("CREATE SCHEMA imported; IMPORT FOREIGN SCHEMA public FROM SERVER ruattn INTO imported")
    found = trapped.execute(
        "SELECT FROM imported.documents WHERE query = '{1,0}' AND num_heads = 1"
    ).fetchall()
    assert len(found) == 3


def test_an_index_made_by_a_function(trapped: Connection[Any]) -> None:
    trapped.execute("SELECT ruvector_create_attention_index('public.named', 'v', index_name := 'second')")
    trapped.execute("SELECT ruvector_drop_attention_index('public.second')")


def test_a_trap_that_would_be_an_operator_of_a_parameter(trapped: Connection[Any], failure: Failure) -> None:
    trapped.execute("""
        CREATE FUNCTION trojan.trap(text, text) RETURNS boolean LANGUAGE plpgsql
            AS 'BEGIN RAISE ''trapped''; END';
        CREATE OPERATOR trojan.= (FUNCTION = trojan.trap, LEFTARG = text, RIGHTARG = text)
    """)
    error = failure(trapped, SEARCH)
    assert error.sqlstate == "0A000"


@pytest.mark.parametrize("id_type", ["trojan.watched", "trojan.listed"])
def test_functions_of_the_type_that_ids_have(documents: Connection[Any], id_type: str) -> None:
    """Whose table it is made the type as well, with a CHECK and a "=" that tell who runs them."""
    documents.execute(
        f"""
        CREATE SCHEMA trojan;
        CREATE FUNCTION trojan.spy(text) RETURNS boolean LANGUAGE plpgsql
            AS 'BEGIN IF current_setting(''app.armed'', true) = ''on'' THEN RAISE ''trapped''; END IF;
                RETURN true; END';
        CREATE DOMAIN trojan.watched AS text CHECK (trojan.spy(value));
        CREATE TYPE trojan.listed AS ENUM ('{{a}}', 'a');
        CREATE FUNCTION trojan.equal({id_type}, {id_type}) RETURNS boolean LANGUAGE plpgsql
            AS 'BEGIN RAISE ''trapped''; END';
        CREATE OPERATOR trojan.= (FUNCTION = trojan.equal, LEFTARG = {id_type}, RIGHTARG = {id_type});
        CREATE TABLE trojan.named (id {id_type}, v real[], w int);
        INSERT INTO trojan.named VALUES ('{{a}}', '{{1,0}}', 7);
        CREATE FOREIGN TABLE mine (id text, w int, query attention_vector, query_id text, candidates text[])
            SERVER ruattn OPTIONS (operation 'mha_search', table_name 'trojan.named', num_heads '1');
        SET app.armed = on
    """.encode()
    )
    for clause in ("candidates = ARRAY['{a}']", "query_id = '{a}'"):
        query = "" if "query_id" in clause else " AND query = '{1,0}'"
        assert documents.execute(f"SELECT w FROM mine WHERE {clause}{query}".encode()).fetchall() == [(7,)]
