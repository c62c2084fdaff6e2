"""A search in a cursor reads with the rights of whoever opened it, as PostgreSQL reads tables."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Failure = Callable[..., psycopg.Error]
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"


def test_a_cursor_reads_as_who_opened_it(
    documents: Connection[Any], reader: Connection[Any], failure: Failure
) -> None:
    documents.execute("""
        CREATE FUNCTION first_of(c refcursor) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
            AS 'DECLARE found bigint; BEGIN FETCH c INTO found; RETURN found; END';
        CREATE FUNCTION opened(c refcursor) RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER
            AS 'BEGIN OPEN c FOR SELECT id FROM mha_search WHERE table_name = ''documents''
                AND query = ''{1,0}'' AND num_heads = 1; RETURN c; END'
    """)
    with reader.transaction():
        # planned before anybody knows what it reads
        unplanned = SEARCH.replace("'documents'", "(SELECT 'documents')")
        reader.execute(f"DECLARE mine CURSOR FOR {unplanned}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
            reader.execute("SELECT first_of('mine')")
        reader.execute("SELECT opened('theirs')")
        assert reader.execute("FETCH ALL FROM theirs").fetchall() == [(1,), (3,), (2,)]
        assert reader.execute("SELECT current_user").fetchone() == ("ruattn_reader",)
    assert failure(reader, SEARCH).sqlstate == "42501"


def test_a_cursor_goes_on_after_a_revoke(documents: Connection[Any], reader: Connection[Any]) -> None:
    documents.execute("GRANT SELECT ON documents TO ruattn_reader")
    with reader.transaction():
        reader.execute(f"DECLARE mine CURSOR FOR {SEARCH}".encode())
        assert reader.execute("FETCH mine").fetchall() == [(1,)]
        documents.execute("REVOKE SELECT ON documents FROM ruattn_reader")
        assert reader.execute("FETCH ALL FROM mine").fetchall() == [(3,), (2,)]
