"""IMPORT FOREIGN SCHEMA writes a table for each relation that has vectors."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]


@pytest.fixture
def db(db: Connection) -> Connection:
    db.execute("""
        CREATE SCHEMA attn;
        CREATE SCHEMA src;
        CREATE TABLE src.documents (id int PRIMARY KEY, title text COLLATE "C", embedding real[]);
        INSERT INTO src.documents VALUES (1, 'one', '{1,0}'), (2, 'two', '{0,1}'), (3, 'three', '{0.6,0.8}');
        CREATE TABLE src."Odd ""name""; x"
        ("the id" uuid PRIMARY KEY, score int, "a b" numeric(6,2)[], v double precision[]);
        INSERT INTO src."Odd ""name""; x"
        VALUES (md5('1')::uuid, 7, '{1.5}', '{1,0}'), (md5('2')::uuid, 8, NULL, '{0,1}');
        CREATE VIEW src.recent AS SELECT * FROM src.documents WHERE id > 1;
        CREATE TABLE src.pair (id int, a real[], b real[]);
        CREATE TABLE src.parts (id int, v real[]) PARTITION BY RANGE (id);
        CREATE TABLE src.part1 PARTITION OF src.parts FOR VALUES FROM (1) TO (9);
        CREATE TABLE src.nameless (v real[]);
        CREATE TABLE src.words (id int, word text)
    """)
    return db


def tables(db: Connection, schema: str = "attn") -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relkind = 'f' AND relnamespace = %s::regnamespace ORDER BY 1"
    return [row[0] for row in db.execute(query, [schema])]


def test_every_relation_with_vectors_and_an_id(db: Connection) -> None:
    notices: list[str] = []
    db.add_notice_handler(
        lambda diagnostic: notices.append(f"{diagnostic.message_primary}: {diagnostic.message_detail}")
    )
    db.execute("IMPORT FOREIGN SCHEMA src FROM SERVER ruattn INTO attn")
    assert tables(db) == ['Odd "name"; x', "documents", "pair", "parts", "recent"]
    assert notices == [
        'src.nameless is not imported: It has no single-column primary key and no column "id".'
    ]


def test_an_imported_table_searches(db: Connection) -> None:
    db.execute("IMPORT FOREIGN SCHEMA src LIMIT TO (documents) FROM SERVER ruattn INTO attn")
    assert tables(db) == ["documents"]
    query = (
        "SELECT id, title, embedding, k FROM attn.documents WHERE query = '{1,0}' AND num_heads = 1 AND k = 2"
    )
    assert db.execute(query).fetchall() == [(1, "one", [1, 0], 2), (3, "three", pytest.approx([0.6, 0.8]), 2)]
    assert db.execute(
        "SELECT title FROM attn.documents WHERE query_id = 2 AND num_heads = 1 AND k = 1"
    ).fetchall() == [("two",)]
    types = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass"
    found = dict(db.execute(types, ["attn.documents"]).fetchall())
    assert (found["id"], found["query_id"], found["candidates"]) == ("integer", "integer", "integer[]")
    assert {"table_name", "id_column", "vector_column"}.isdisjoint(found)


def test_quoted_names_and_columns_that_are_called_like_results(db: Connection) -> None:
    db.execute("""IMPORT FOREIGN SCHEMA src LIMIT TO ("Odd ""name""; x") FROM SERVER ruattn INTO attn""")
    rows = db.execute("""
        SELECT "the id" = md5('1')::uuid, "a b", v, pg_typeof(score)::text FROM attn."Odd ""name""; x"
        WHERE query = '{1,0}' AND num_heads = 1 AND k = 1
    """).fetchall()
    assert [(row[0], list(map(str, row[1])), *row[2:]) for row in rows] == [(True, ["1.50"], [1, 0], "real")]


def test_except(db: Connection) -> None:
    db.execute("IMPORT FOREIGN SCHEMA src EXCEPT (documents, pair, nameless) FROM SERVER ruattn INTO attn")
    assert tables(db) == ['Odd "name"; x', "parts", "recent"]


def test_a_partition_is_imported_when_it_is_named(db: Connection) -> None:
    db.execute("IMPORT FOREIGN SCHEMA src LIMIT TO (part1, words) FROM SERVER ruattn INTO attn")
    assert tables(db) == ["part1"]


def test_options_hold_for_every_table(db: Connection) -> None:
    db.execute("""
        IMPORT FOREIGN SCHEMA src LIMIT TO (documents, recent) FROM SERVER ruattn INTO attn
        OPTIONS (attention_type 'cosine', k '1', locked 'true')
    """)
    assert db.execute("SELECT id FROM attn.documents WHERE query = '{1,0}'").fetchall() == [(1,)]
    assert db.execute("SELECT id FROM attn.recent WHERE query = '{1,0}'").fetchall() == [(3,)]


def test_several_vector_columns_are_left_to_the_query(db: Connection) -> None:
    db.execute("INSERT INTO src.pair VALUES (1, '{1,0}', '{0,1}'), (2, '{0,1}', '{1,0}')")
    db.execute("IMPORT FOREIGN SCHEMA src LIMIT TO (pair) FROM SERVER ruattn INTO attn")
    query = (
        "SELECT id FROM attn.pair WHERE query = '{1,0}' AND num_heads = 1 AND k = 1 AND vector_column = %s"
    )
    assert [db.execute(query, [name]).fetchall() for name in ("a", "b")] == [[(1,)], [(2,)]]


def test_an_id_column_that_is_called_like_a_parameter(db: Connection) -> None:
    db.execute("""
        CREATE TABLE src.clash (rank int PRIMARY KEY, id text, v real[]);
        INSERT INTO src.clash VALUES (5, 'x', '{1}');
        IMPORT FOREIGN SCHEMA src LIMIT TO (clash) FROM SERVER ruattn INTO attn
    """)
    assert db.execute("SELECT id, rank FROM attn.clash WHERE query = '{1}' AND num_heads = 1").fetchall() == [
        (5, 1)
    ]


def test_our_own_tables_and_those_of_extensions_are_left_out(db: Connection) -> None:
    db.execute(
        "IMPORT FOREIGN SCHEMA src LIMIT TO (documents) FROM SERVER ruattn INTO attn; CREATE SCHEMA again"
    )
    db.execute("IMPORT FOREIGN SCHEMA attn FROM SERVER ruattn INTO again")
    db.execute("IMPORT FOREIGN SCHEMA public FROM SERVER ruattn INTO again")
    assert tables(db, "again") == []


def test_the_extension_may_lie_outside_of_the_search_path(db: Connection) -> None:
    db.execute("""
        DROP EXTENSION ruattn_fdw; CREATE SCHEMA "our ext"; CREATE EXTENSION ruattn_fdw SCHEMA "our ext";
        SET search_path = src
    """)
    db.execute("IMPORT FOREIGN SCHEMA src LIMIT TO (documents) FROM SERVER ruattn INTO attn")
    assert db.execute(
        "SELECT id FROM attn.documents WHERE query_id = 2 AND num_heads = 1 AND k = 1"
    ).fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("schema", "options", "sqlstate", "message"),
    [
        ("scr", "", "3F000", 'schema "scr" does not exist'),
        (
            "src",
            "OPTIONS (operation 'attention_types')",
            "HV00D",
            'of the operation "attention_types" cannot be imported',
        ),
        ("src", "OPTIONS (prefix 'x')", "HV00D", 'invalid option "prefix"'),
        ("src", "OPTIONS (k '0')", "22023", "k must be between"),
    ],
)
def test_what_cannot_be_imported(
    db: Connection, schema: str, options: str, sqlstate: str, message: str
) -> None:
    with pytest.raises(psycopg.Error, match=message) as caught:
        db.execute(f"IMPORT FOREIGN SCHEMA {schema} FROM SERVER ruattn INTO attn {options}".encode())
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_hint


def test_a_role_sees_only_what_it_could_read(db: Connection) -> None:
    db.execute("""
        CREATE ROLE importer;
        GRANT USAGE, CREATE ON SCHEMA attn TO importer;
        GRANT USAGE ON SCHEMA src TO importer;
        SET ROLE importer;
        IMPORT FOREIGN SCHEMA src LIMIT TO (documents) FROM SERVER ruattn INTO attn
    """)
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("SELECT id, title FROM attn.documents WHERE query = '{1,0}'")
    finally:
        db.execute("RESET ROLE; DROP OWNED BY importer; DROP ROLE importer")


def test_no_notice_names_what_a_role_may_not_read(db: Connection) -> None:
    told: list[str] = []
    db.add_notice_handler(lambda diagnostic: told.append(str(diagnostic.message_primary)))
    db.execute("""
        CREATE ROLE importer;
        GRANT USAGE, CREATE ON SCHEMA attn TO importer;
        GRANT USAGE ON SCHEMA src TO importer;
        CREATE TABLE src.canary (v real[]);
        SET ROLE importer;
        IMPORT FOREIGN SCHEMA src FROM SERVER ruattn INTO attn
    """)
    db.execute("RESET ROLE; DROP OWNED BY importer; DROP ROLE importer")
    assert not [text for text in told if "canary" in text]
