"""Names of relations and columns mean what they mean in SQL."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

# three rows whose order for the query {1,0} is 1, 3, 2
VALUES = "(1, '{1,0}'), (2, '{0,1}'), (3, '{0.6,0.8}')"
ANSWER = [1, 3, 2]


def search(db: Connection[Any], table: str, clauses: str = "") -> list[int]:
    """Ids of a search in their order of arrival."""
    sql = f"SELECT id FROM mha_search WHERE table_name = %s AND query = '{{1,0}}' AND num_heads = 1{clauses}"
    return [row[0] for row in db.execute(sql.encode(), [table])]


@pytest.fixture
def documents(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE documents (id int PRIMARY KEY, embedding real[])")
    db.execute(f"INSERT INTO documents VALUES {VALUES}".encode())
    return db


NAMES = [
    "MixedCase",
    "with space",
    "semi;colon--",
    'quo"te',
    "apo'strophe",
    "dot.ted",
    "select",
    "Straße_日本",
    "back\\slash",
    "%s {0} $1",
    "x" * 63,
    "é" * 31,
]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_awkward_names_of_tables_columns_and_schemas(db: Connection[Any]) -> None:
    for name in NAMES:
        q, vector = quoted(name), quoted(name[:30] + "v")
        statement = f"""
            CREATE SCHEMA {q};
            CREATE TABLE {q}.{q} (other int, {q} int PRIMARY KEY, other_vector real[], {vector} real[]);
            INSERT INTO {q}.{q} ({q}, {vector}) VALUES {VALUES}
        """
        db.execute(statement.encode())
        found = db.execute(
            "SELECT id FROM mha_search WHERE table_name = %s AND vector_column = %s AND id_column = %s"
            " AND query = '{1,0}' AND num_heads = 1",
            [f"{q}.{q}", name[:30] + "v", name],
        ).fetchall()
        assert [row[0] for row in found] == ANSWER, name


def test_names_fold_and_truncate_as_in_sql(documents: Connection[Any]) -> None:
    long = "t" * 70
    documents.execute(f"CREATE TABLE {long} AS SELECT * FROM documents".encode())
    for spelling in (
        "DOCUMENTS",
        "Public.Documents",
        '"documents"',
        'public."documents"',
        " documents ",
        long,
    ):
        assert search(documents, spelling) == ANSWER, spelling


@pytest.mark.bundled
def test_names_resolve_in_the_callers_search_path(
    documents: Connection[Any], connect: Callable[..., Connection[Any]]
) -> None:
    documents.execute("""
        CREATE SCHEMA first; CREATE SCHEMA second;
        CREATE TABLE first.documents AS SELECT 11 AS id, '{1,0}'::real[] AS v;
        CREATE TABLE second.documents AS SELECT 22 AS id, '{1,0}'::real[] AS v
    """)
    other = connect()
    for path, found in (("first, second, public", [11]), ("second, public", [22]), ("public", ANSWER)):
        for session in (documents, other):
            session.execute(f"SET search_path = {path}".encode())
            assert search(session, "documents") == found, path
    assert search(documents, "second.documents") == [22]
    documents.execute("CREATE TEMP TABLE documents AS SELECT 33 AS id, '{1,0}'::real[] AS v")
    assert search(documents, "documents") == [33]
    assert search(documents, "pg_temp.documents") == [33]
    assert search(other, "documents") == ANSWER


@pytest.mark.bundled
def test_columns_named_like_parameters(db: Connection[Any]) -> None:
    db.execute(
        f"""
        CREATE TABLE k (id int PRIMARY KEY, query real[], table_name text, k int);
        INSERT INTO k (id, query) VALUES {VALUES}
    """.encode()
    )
    assert search(db, "k") == ANSWER
    rows = db.execute(
        "SELECT k.id, s.id FROM k JOIN mha_search s ON s.query = k.query"
        " WHERE s.table_name = 'k' AND s.num_heads = 1 AND s.k = 1 AND s.temperature = 0.01 AND k.id = 1"
    ).fetchall()
    assert rows == [(1, 1)]
