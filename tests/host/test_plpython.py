"""PL/Python and searches in one session; runs on servers that have plpython3u, as the header says."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ruattn_fdw.server.server import Server

FUNCTION = """
CREATE EXTENSION plpython3u;
CREATE FUNCTION numbers() RETURNS float8 LANGUAGE plpython3u AS $$
    GD['calls'] = GD.get('calls', 0) + 1
    return sum(range(4)) + plpy.execute('SELECT 1 AS one')[0]['one']
$$;
CREATE FUNCTION searched() RETURNS int LANGUAGE plpython3u AS $$
    rows = plpy.execute("SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}'"
                        " AND num_heads = 1")
    return rows[0]['id']
$$;
CREATE FUNCTION caught() RETURNS text LANGUAGE plpython3u AS $$
    try:
        with plpy.subtransaction():
            plpy.execute("SELECT id FROM mha_search WHERE table_name = 'nowhere' AND query = '{1,0}'")
    except plpy.SPIError as error:
        return error.sqlstate
$$;
"""


@pytest.fixture
def functions(server: Server, documents: Connection[Any]) -> Connection[Any]:
    """A session of a database with functions in PL/Python, none of which has run yet."""
    documents.execute(FUNCTION)
    return documents


@pytest.mark.usefixtures("plpython")
def test_pl_python_first(
    functions: Connection[Any], connect: Callable[..., Connection[Any]], search: Callable[..., list[int]]
) -> None:
    session = connect()
    for _ in range(3):
        assert session.execute("SELECT numbers()").fetchall() == [(7.0,)]
        assert search(session) == [1, 3, 2]


@pytest.mark.usefixtures("plpython")
def test_a_search_first(
    functions: Connection[Any], connect: Callable[..., Connection[Any]], search: Callable[..., list[int]]
) -> None:
    session = connect()
    for _ in range(3):
        assert search(session) == [1, 3, 2]
        assert session.execute("SELECT numbers()").fetchall() == [(7.0,)]


@pytest.mark.usefixtures("plpython")
def test_a_search_inside_pl_python(functions: Connection[Any], search: Callable[..., list[int]]) -> None:
    for _ in range(3):
        assert functions.execute("SELECT searched()").fetchall() == [(1,)]
        assert functions.execute("SELECT caught()").fetchall() == [("42P01",)]
        assert search(functions) == [1, 3, 2]


@pytest.mark.usefixtures("plpython")
def test_pl_python_as_the_source_of_a_search(
    functions: Connection[Any], search: Callable[..., list[int]]
) -> None:
    functions.execute("""
        CREATE FUNCTION same(int) RETURNS int LANGUAGE plpython3u AS 'return args[0]';
        CREATE FUNCTION broken(int) RETURNS int LANGUAGE plpython3u AS 'return 1 // (args[0] - 2)';
        CREATE VIEW through AS SELECT same(id) AS id, embedding FROM documents;
        CREATE VIEW failing AS SELECT broken(id) AS id, embedding FROM documents
    """)
    for _ in range(3):
        assert search(functions, "through") == [1, 3, 2]
        with pytest.raises(psycopg.Error, match="ZeroDivisionError"):
            search(functions, "failing")
