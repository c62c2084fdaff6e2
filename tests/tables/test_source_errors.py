"""What a search says of a source that it cannot use: SQLSTATE, message with both values, HINT."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

Refused = Callable[..., tuple[str | None, str | None, str | None]]


def test_relations_that_do_not_exist(two_documents: Connection[Any], refused: Refused) -> None:
    two_documents.execute("CREATE SCHEMA other; CREATE TABLE other.elsewhere (id int, v real[])")
    cases = {
        "document": 'Perhaps you meant "documents".',
        "Documents_": 'Perhaps you meant "documents".',
        "public.document": 'Perhaps you meant "documents".',
        "elsewhere": 'Perhaps you meant "other.elsewhere".',
        "no_such_schema.documents": 'Perhaps you meant "documents".',
        "qqq": "Names resolve in the search_path, or write schema.table.",
        '"DOCUMENTS"': 'Perhaps you meant "documents".',
    }
    for name, hint in cases.items():
        assert refused(name) == ("42P01", f'relation "{name}" does not exist', hint)


def test_names_that_are_no_names(two_documents: Connection[Any], refused: Refused) -> None:
    found = {
        name: refused(name)[0] for name in ("", "a.b.c.d", '"open', "a..b", "a b", "nowhere.public.documents")
    }
    assert found == {
        "": "42602",
        "a.b.c.d": "42601",
        '"open': "42602",
        "a..b": "42602",
        "a b": "42602",
        "nowhere.public.documents": "0A000",
    }


@pytest.mark.bundled
def test_a_hint_names_no_relation_of_a_schema_that_the_caller_cannot_use(
    two_documents: Connection[Any], refused: Refused
) -> None:
    two_documents.execute(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.secrets (id int, v real[]); SET ROLE pg_monitor"
    )
    try:
        assert refused("secrets") == (
            "42P01",
            'relation "secrets" does not exist',
            "Names resolve in the search_path, or write schema.table.",
        )
    finally:
        two_documents.execute("RESET ROLE")


def test_relations_without_rows_of_the_users_own(two_documents: Connection[Any], refused: Refused) -> None:
    two_documents.execute(
        "CREATE SEQUENCE numbers; CREATE TYPE pair AS (a int, b int); CREATE TEMP TABLE t (v real[])"
    )
    cases = {
        "documents_pkey": "public.documents_pkey is an index",
        "numbers": "public.numbers is a sequence",
        "pair": "public.pair is a composite type",
        "pg_class": "pg_catalog.pg_class belongs to the system catalogue",
        "pg_catalog.pg_views": "pg_catalog.pg_views belongs to the system catalogue",
        "information_schema.columns": "information_schema.columns belongs to the system catalogue",
    }
    hint = "Name a table, a view, a materialized view or a foreign table."
    for name, message in cases.items():
        assert refused(name) == ("22023", message, hint)
    toast = "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = '{}'::regclass"
    for table in ("documents", "t"):
        row = two_documents.execute(toast.format(table).encode()).fetchone()
        assert row is not None
        assert refused(row[0])[::2] == ("22023", hint)


def test_a_temporary_table_of_another_session(
    two_documents: Connection[Any], connect: Callable[..., Connection[Any]], refused: Refused
) -> None:
    other = connect()
    other.execute("CREATE TEMP TABLE private AS SELECT * FROM documents")
    row = other.execute("SELECT pg_my_temp_schema()::regnamespace::text").fetchone()
    assert row is not None
    sqlstate, message, _ = refused(f"{row[0]}.private")
    assert (sqlstate, message) == ("0A000", "cannot access temporary tables of other sessions")
    assert refused("private")[0] == "42P01"


def test_columns_that_do_not_exist(two_documents: Connection[Any], refused: Refused) -> None:
    assert refused("documents", " AND vector_column = 'embeding'") == (
        "42703",
        'column "embeding" of relation "documents" does not exist',
        'Perhaps you meant "embedding". Valid columns: embedding.',
    )
    assert refused("documents", " AND id_column = 'idd'") == (
        "42703",
        'column "idd" of relation "documents" does not exist',
        'Perhaps you meant "id". Valid columns: id.',
    )
    for column in ("ctid", "EMBEDDING", "documents.embedding", ""):
        assert refused("documents", f" AND vector_column = '{column}'")[0] == "42703", column


def test_columns_of_the_wrong_type(two_documents: Connection[Any], refused: Refused) -> None:
    assert refused("documents", " AND vector_column = 'title'") == (
        "22023",
        "documents.title has type text, no vector type",
        "Valid vector columns: embedding.",
    )
    assert refused("documents", " AND id_column = 'title'") == (
        "0A000",
        "documents.title has type text, the ids of this table have type bigint",
        "Give another id_column, or create a foreign table of your own with an id column of type text.",
    )
    two_documents.execute("CREATE TABLE named (id uuid PRIMARY KEY, v real[])")
    message = "named.id has type uuid, the ids of this table have type bigint"
    assert refused("named")[:2] == ("0A000", message)


def test_columns_that_cannot_be_chosen(two_documents: Connection[Any], refused: Refused) -> None:
    two_documents.execute("""
        CREATE TABLE two (id int, a real[], b double precision[]);
        CREATE TABLE none (id int, words text[], numbers int[]);
        CREATE TABLE unnumbered (a int, b bigint, v real[]);
        CREATE TABLE nothing ()
    """)
    cases = {
        "two": ("two has 2 vector columns: a, b", "Say which: vector_column = 'a'."),
        "none": (
            "none has no column of a vector type",
            "Vector types are real[], double precision[], vector, halfvec.",
        ),
        "unnumbered": (
            'unnumbered has no single-column primary key and no column "id"',
            "Give id_column; integer columns are: a, b.",
        ),
        "nothing": (
            'nothing has no single-column primary key and no column "id"',
            "Give id_column; integer columns are: none.",
        ),
    }
    for table, (message, hint) in cases.items():
        assert refused(table) == ("22023", message, hint)
