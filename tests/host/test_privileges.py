"""A search gives nobody a row or a number that plain SQL would not give him."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Search = Callable[..., list[int]]
Failure = Callable[..., psycopg.Error]
Connect = Callable[..., Connection[Any]]
OWN_ROWS = """
ALTER TABLE documents ADD owner name DEFAULT 'ruattn_reader', ENABLE ROW LEVEL SECURITY;
UPDATE documents SET owner = 'postgres' WHERE id = 3;
CREATE POLICY own ON documents USING (owner = current_user)
"""
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"


def test_without_select_on_the_table(
    documents: Connection[Any], reader: Connection[Any], search: Search, failure: Failure
) -> None:
    assert search(documents) == [1, 3, 2]
    error = failure(reader, SEARCH)
    assert (error.sqlstate, error.diag.message_primary) == ("42501", "permission denied for table documents")
    assert failure(reader, SEARCH.replace("query = '{1,0}'", "query_id = 1")).sqlstate == "42501"


def test_a_privilege_is_checked_in_every_query(
    documents: Connection[Any], reader: Connection[Any], search: Search, failure: Failure
) -> None:
    reader.execute(f"PREPARE kept AS {SEARCH}".encode())
    for _ in range(2):
        documents.execute("GRANT SELECT ON documents TO ruattn_reader")
        assert search(reader) == [1, 3, 2]
        assert len(reader.execute("EXECUTE kept").fetchall()) == 3
        documents.execute("REVOKE SELECT ON documents FROM ruattn_reader")
        assert failure(reader, SEARCH).sqlstate == "42501"
        assert failure(reader, "EXECUTE kept").sqlstate == "42501"


def test_select_on_some_columns_only(
    documents: Connection[Any], reader: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute("ALTER TABLE documents ADD secret real[] DEFAULT '{0,1}'")
    documents.execute("GRANT SELECT (id, embedding) ON documents TO ruattn_reader")
    assert search(reader, clauses=" AND vector_column = 'embedding'") == [1, 3, 2]
    assert failure(reader, f"{SEARCH} AND vector_column = 'secret'").sqlstate == "42501"
    documents.execute("REVOKE SELECT (id) ON documents FROM ruattn_reader")
    assert failure(reader, f"{SEARCH} AND vector_column = 'embedding'").sqlstate == "42501"


def test_without_usage_on_the_schema(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    documents.execute("""
        CREATE SCHEMA closed; CREATE TABLE closed.documents AS SELECT * FROM public.documents;
        GRANT SELECT ON closed.documents TO ruattn_reader
    """)
    statement = SEARCH.replace("'documents'", "'closed.documents'")
    assert failure(reader, statement).sqlstate == "42501"


def test_row_security_on_columns_that_the_role_may_not_read(
    documents: Connection[Any], reader: Connection[Any], search: Search
) -> None:
    documents.execute(f"{OWN_ROWS}; GRANT SELECT (id, embedding) ON documents TO ruattn_reader".encode())
    for _ in range(2):
        assert search(documents) == [1, 3, 2]
        assert search(reader) == [1, 2]


def test_partitions_and_children_need_no_privilege_of_their_own(
    documents: Connection[Any], reader: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute("""
        CREATE TABLE parted (LIKE documents) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF parted DEFAULT;
        INSERT INTO parted SELECT * FROM documents;
        CREATE TABLE child () INHERITS (documents);
        GRANT SELECT ON parted, child TO ruattn_reader
    """)
    assert search(reader, "parted", " AND id_column = 'id'") == [1, 3, 2]
    assert search(reader, "child", " AND id_column = 'id'") == []
    for table in ("part", "documents"):
        assert failure(reader, SEARCH.replace("'documents'", f"'{table}'")).sqlstate == "42501"


def test_a_type_that_is_only_called_like_one_of_dates(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    reader.execute("SET search_path = pg_temp, public")
    documents.execute("""
        CREATE TYPE date_like AS (day date);
        CREATE FUNCTION trap(date_like) RETURNS timestamp LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
        CREATE CAST (date_like AS timestamp) WITH FUNCTION trap(date_like) AS IMPLICIT;
        ALTER TABLE documents ADD happened date_like DEFAULT ROW('2020-01-01');
        GRANT SELECT ON documents TO ruattn_reader
    """)
    error = failure(reader, f"{SEARCH} AND attention_type = 'causal' AND order_column = 'happened'")
    assert "has type date_like, rows are ordered by" in str(error)


def test_row_security_by_the_current_user(
    documents: Connection[Any], reader: Connection[Any], search: Search
) -> None:
    documents.execute(f"{OWN_ROWS}; GRANT SELECT ON documents TO ruattn_reader".encode())
    assert search(documents) == [1, 3, 2]
    assert search(reader) == [1, 2]
    documents.execute("SET ROLE ruattn_reader")
    assert search(documents) == [1, 2]
    documents.execute("RESET ROLE")
    assert search(documents) == [1, 3, 2]
    total = reader.execute(SEARCH.replace("SELECT id", "SELECT sum(score)").encode()).fetchone()
    assert total is not None
    assert total[0] == pytest.approx(1)


def test_a_hidden_row_cannot_be_a_query_or_a_candidate(
    documents: Connection[Any], reader: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute("""
        ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
        CREATE POLICY visible ON documents USING (id <> 3);
        GRANT SELECT ON documents TO ruattn_reader
    """)
    by_id = SEARCH.replace("query = '{1,0}'", "query_id = 3")
    hidden = failure(reader, by_id)
    absent = failure(reader, by_id.replace("query_id = 3", "query_id = 4"))
    assert str(hidden).replace("3", "4") == str(absent)
    assert search(reader, clauses=" AND candidates = '{2,3}'") == [2]


def test_row_security_by_a_setting(
    documents: Connection[Any], reader: Connection[Any], search: Search
) -> None:
    documents.execute("""
        ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON documents USING (id = current_setting('app.tenant')::int);
        GRANT SELECT ON documents TO ruattn_reader
    """)
    for tenant in (1, 2, 1, 9):
        reader.execute(f"SET app.tenant = {tenant}".encode())
        assert search(reader) == [tenant] * (tenant < 9)


def test_row_security_off_is_an_error_not_a_bypass(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    documents.execute("""
        ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
        GRANT SELECT ON documents TO ruattn_reader
    """)
    assert reader.execute(SEARCH.encode()).fetchall() == []
    reader.execute("SET row_security = off")
    assert failure(reader, SEARCH).sqlstate == "42501"


def test_a_security_definer_function_reads_as_its_owner(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    documents.execute(
        f"""
        CREATE FUNCTION as_owner() RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER AS $$ {SEARCH} $$;
        CREATE FUNCTION as_caller() RETURNS SETOF bigint LANGUAGE sql AS $$ {SEARCH} $$
    """.encode()
    )
    assert reader.execute("SELECT * FROM as_owner()").fetchall() == [(1,), (3,), (2,)]
    assert failure(reader, "SELECT * FROM as_caller()").sqlstate == "42501"
    assert failure(reader, SEARCH).sqlstate == "42501"


def test_a_view_over_a_search_reads_as_the_caller(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    documents.execute(f"CREATE VIEW found AS {SEARCH}; GRANT SELECT ON found TO ruattn_reader".encode())
    assert failure(reader, "SELECT * FROM found").sqlstate == "42501"
    documents.execute("GRANT SELECT ON documents TO ruattn_reader")
    assert len(reader.execute("SELECT * FROM found").fetchall()) == 3


def test_names_that_carry_sql_are_only_names(
    documents: Connection[Any], search: Search, failure: Failure
) -> None:
    carried = "documents; DROP TABLE documents; --"
    for value in (
        carried,
        f'documents"; {carried}',
        "documents WHERE pg_sleep(9) IS NULL",
        "(SELECT 1)",
        "documents t",
    ):
        assert failure(documents, SEARCH.replace("'documents'", "%s"), value).sqlstate in ("42602", "42P01")
    for column in ("vector_column", "id_column"):
        for value in ('embedding" FROM pg_authid --', "1/0", "*", "embedding, id"):
            assert failure(documents, f"{SEARCH} AND {column} = %s", value).sqlstate == "42703"
    assert search(documents) == [1, 3, 2]


def test_trojan_operators_and_functions_of_the_caller_are_not_used(
    documents: Connection[Any], reader: Connection[Any], search: Search
) -> None:
    documents.execute("""
        GRANT SELECT ON documents TO ruattn_reader;
        CREATE SCHEMA trojan; GRANT USAGE ON SCHEMA trojan TO ruattn_reader;
        CREATE FUNCTION trojan.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql
            AS 'BEGIN RAISE ''trojan''; END';
        CREATE OPERATOR trojan.= (FUNCTION = trojan.equal, LEFTARG = bigint, RIGHTARG = bigint);
        CREATE TABLE trojan.pg_class (oid oid, relname name);
        CREATE FUNCTION trojan.pg_table_is_visible(oid) RETURNS boolean LANGUAGE plpgsql
            AS 'BEGIN RAISE ''trojan''; END'
    """)
    reader.execute("SET search_path = trojan, pg_catalog, public")
    assert search(reader, clauses=" AND candidates = '{1,2}'") == [1, 2]
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        search(reader, "document")
    assert caught.value.diag.message_hint == 'Perhaps you meant "documents".'
