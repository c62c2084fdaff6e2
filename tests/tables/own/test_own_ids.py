"""A user's own foreign tables: ids of every type."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.tables.own.tables import OPTIONS, QUERY, Failure, create, fetch


@pytest.mark.bundled
def test_rows_that_share_an_id_and_differ_are_an_error(db: Connection[Any], fails: Failure) -> None:
    db.execute("""
        CREATE TABLE twins (id int, name text, v real[]);
        INSERT INTO twins VALUES (1, 'a', '{1,0}'), (1, 'b', '{0,1}'), (2, 'c', '{1,1}'), (2, 'c', '{1,2}')
    """)
    create(
        db,
        "id int, name text, candidates int[]",
        "operation 'mha_search', table_name 'twins', query '{1,0}', num_heads '1'",
    )
    assert fetch(db, "SELECT id, name FROM own WHERE candidates = '{2}'") == [(2, "c"), (2, "c")]
    error = fails("SELECT name FROM own")
    assert "twins has several rows with id 1, and they differ in name" in str(error)


def check_ids(db: Connection[Any], id_type: str, expression: str) -> None:
    """Ids of a type: searched, shown, ordered at ties, as query_id and as candidates."""
    db.execute("DROP TABLE IF EXISTS typed")
    db.execute(
        f"""
        CREATE TABLE typed (key {id_type} PRIMARY KEY, v real[]);
        INSERT INTO typed SELECT {expression}, ARRAY[1, i / 8]::real[] FROM generate_series(1, 30) i
    """.encode()
    )
    parameters = f"query attention_vector, query_id {id_type}, candidates {id_type}[], k int"
    columns = f"key {id_type}, score real, {parameters}"
    create(db, columns, "operation 'mha_search', table_name 'typed', id_column 'key', num_heads '1'")
    order = fetch(db, "SELECT key::text AS shown FROM typed ORDER BY v[2] DESC, key")
    assert fetch(db, "SELECT key::text FROM own WHERE query = '{0,1}'") == order, id_type
    assert fetch(db, "SELECT key::text FROM own WHERE query = '{0,1}' AND k = 7") == order[:7], id_type
    some = "(SELECT array_agg(key ORDER BY key DESC) FROM (SELECT key FROM typed ORDER BY key LIMIT 5) t)"
    found = fetch(
        db, f"SELECT count(*), sum(score)::float8 FROM own WHERE query = '{{0,1}}' AND candidates = {some}"
    )
    assert found[0] == (5, pytest.approx(1, rel=1e-6)), id_type
    lateral = "SELECT query_id FROM own WHERE query_id = typed.key"
    assert fetch(db, f"SELECT count(*) FROM typed, LATERAL ({lateral}) s WHERE s.query_id = key") == [
        (900,)
    ], id_type
    assert fetch(db, "SELECT count(*) FROM own WHERE query = '{0,1}' AND candidates = '{}'") == [(0,)], (
        id_type
    )


@pytest.mark.bundled
def test_ids_of_every_type(db: Connection[Any]) -> None:
    db.execute("""
        CREATE DOMAIN code AS text CHECK (length(VALUE) < 60);
        CREATE TYPE place AS (shelf int, number text);
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')
    """)
    for id_type, expression in (
        ("uuid", "md5(i::text)::uuid"),
        ("text", "chr(96 + i % 26) || repeat('\"\\, {}''', i)"),
        ("varchar(6)", "'é' || i"),
        ("char(8)", "'k' || i"),
        ("code", "'Code ' || i"),
        ("numeric(10,2)", "-i * 1.5"),
        ("timestamptz", "timestamptz '2024-03-31 00:30+00' + i * interval '1 hour'"),
        ("double precision", "1.0 / i"),
        ("bytea", "decode(md5(i::text), 'hex')"),
        ("inet", "('10.0.0.' || i)::inet"),
        ("place", "ROW(i % 3, 'n, ' || i)::place"),
        ("smallint", "31 - i"),
        ("bigint", "i * 10000000000"),
    ):
        check_ids(db, id_type, expression)


@pytest.mark.bundled
def test_an_enum_of_few_values(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
        CREATE TABLE moods (id mood, v real[]);
        INSERT INTO moods VALUES ('happy', '{1}'), ('sad', '{1}'), ('ok', '{1}')
    """)
    create(
        db,
        "id mood, query attention_vector, candidates mood[]",
        "operation 'mha_search', table_name 'moods', num_heads '1'",
    )
    assert fetch(db, "SELECT id FROM own WHERE query = '{1}'") == [("sad",), ("ok",), ("happy",)]
    assert fetch(db, "SELECT id FROM own WHERE query = '{1}' AND candidates = '{happy,sad}'") == [
        ("sad",),
        ("happy",),
    ]


def test_a_composite_id_by_a_view(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TYPE place AS (shelf int, number int);
        CREATE TABLE shelves (shelf int, number int, v real[], PRIMARY KEY (shelf, number));
        INSERT INTO shelves VALUES (1, 1, '{1,0}'), (1, 2, '{0,1}'), (2, 1, '{1,1}');
        CREATE VIEW placed AS SELECT ROW(shelf, number)::place AS id, v FROM shelves
    """)
    create(
        db, "id place, query attention_vector", "operation 'mha_search', table_name 'placed', num_heads '1'"
    )
    rows = fetch(db, "SELECT (id).shelf, (id).number FROM own WHERE query = '{1,0.5}' ORDER BY id")
    assert rows == [(1, 1), (1, 2), (2, 1)]


@pytest.mark.bundled
def test_an_operator_of_somebody_else_is_not_used(db: Connection[Any]) -> None:
    db.execute("""
        CREATE SCHEMA trojan;
        CREATE FUNCTION trojan.stolen(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT 1/0 = 0';
        CREATE OPERATOR trojan.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = trojan.stolen);
        SET search_path = trojan, pg_catalog, public
    """)
    create(db, "doc uuid, title text, score real, query_id uuid, candidates uuid[]")
    db.execute(
        "PREPARE q AS SELECT title FROM own WHERE candidates = $1 AND query_id OPERATOR(pg_catalog.=) $2"
    )
    assert fetch(db, "EXECUTE q(ARRAY[md5('3'), md5('4')]::uuid[], md5('3')::uuid)") == [
        ("title 3",),
        ("title 4",),
    ]


def test_the_id_may_be_shown_under_either_name(db: Connection[Any]) -> None:
    create(db, "id uuid, doc uuid, query attention_vector")
    assert fetch(db, f"SELECT count(*) FROM own WHERE {QUERY} AND id = doc") == [(12,)]


@pytest.mark.bundled
def test_integer_ids_as_text(db: Connection[Any]) -> None:
    db.execute(
        "CREATE TABLE numbered AS SELECT i AS id, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 12) i"
    )
    create(
        db,
        "id text, query attention_vector, query_id text, candidates text[]",
        "operation 'mha_search', table_name 'numbered', num_heads '1'",
    )
    assert fetch(db, "SELECT id FROM own WHERE query_id = '3' AND candidates = '{11,3}'") == [("11",), ("3",)]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='id must be of type bigint, got "x"'):
        fetch(db, "SELECT id FROM own WHERE query_id = 'x'")


@pytest.mark.bundled
def test_candidates_that_are_no_rows_of_ids_that_are_no_integers(db: Connection[Any]) -> None:
    create(db, "doc uuid, query_id uuid, candidates uuid[]", OPTIONS)
    asked = "SELECT doc FROM own WHERE query_id = md5('5')::uuid AND candidates = ARRAY[md5('{}')::uuid]"
    assert len(fetch(db, asked.format("7"))) == 1
    assert fetch(db, asked.format("none")) == []


def test_ids_that_the_tables_id_cannot_show_are_an_error(db: Connection[Any], fails: Failure) -> None:
    error = fails("SELECT id FROM mha_search WHERE table_name = 'corpus' AND query = '{1,0,0,0}'")
    assert error.sqlstate == "0A000"
    assert "corpus.doc has type uuid, the ids of this table have type bigint" in str(error)
    assert "an id column of type uuid" in str(error.diag.message_hint)


@pytest.mark.bundled
def test_explain_shows_ids_of_other_types(db: Connection[Any]) -> None:
    create(db, "doc uuid, query_id uuid, candidates uuid[]")
    clauses = "query_id = md5('1')::uuid AND candidates = ARRAY[md5('1')::uuid]"
    plan = "\n".join(row[0] for row in fetch(db, f"EXPLAIN (COSTS OFF) SELECT doc FROM own WHERE {clauses}"))
    assert "query_id = c4ca4238-a0b9-2382-0dcc-509a6f75849b" in plan
    assert "candidates = {c4ca4238-a0b9-2382-0dcc-509a6f75849b}" in plan
    assert "Source: public.corpus (doc, embedding)" in plan


@pytest.mark.bundled
def test_ids_may_be_arrays_where_those_of_the_source_are(db: Connection[Any], fails: Failure) -> None:
    made = "SELECT ARRAY[i, -i] AS id, i AS place, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 3) i"
    db.execute(f"CREATE TABLE keyed AS {made}".encode())
    options = "operation 'mha_search', table_name 'keyed', query '{1,0}', num_heads '1'"
    create(db, "id int[]", options)
    assert fetch(db, "SELECT id FROM own") == [([3, -3],), ([2, -2],), ([1, -1],)]
    create(db, "id int[]", f"{options}, id_column 'place'")
    error = fails("SELECT id FROM own")
    assert error.sqlstate == "0A000"
    assert "keyed.place has type integer, the ids of this table have type integer[]" in str(error)


def test_a_null_id_is_an_error(db: Connection[Any], fails: Failure) -> None:
    db.execute("CREATE TABLE nulls AS SELECT NULL::text AS id, '{1}'::real[] AS v")
    create(db, "id text, query attention_vector", "operation 'mha_search', table_name 'nulls', num_heads '1'")
    error = fails("SELECT id FROM own WHERE query = '{1}'")
    assert (error.sqlstate, "the id of row 1 of nulls.v is NULL" in str(error)) == ("22004", True)


def test_bad_vectors_are_named_by_an_id_of_any_type(db: Connection[Any], fails: Failure) -> None:
    db.execute("UPDATE corpus SET embedding = '{1,NaN,0,0}' WHERE pages = 50")
    create(db, "doc uuid, query attention_vector")
    error = fails("SELECT doc FROM own WHERE query = '{1,0,0,0}'")
    assert "corpus.embedding of the row with id e4da3b7f-bbce-2345-d777-2b0674a318d5" in str(error)


@pytest.mark.bundled
def test_ids_beyond_the_type_of_a_column_are_an_error(db: Connection[Any], fails: Failure) -> None:
    db.execute(
        "CREATE TABLE numbered AS SELECT i AS id, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 3) i"
    )
    options = "operation 'mha_search', table_name 'numbered', query '{1,0}', num_heads '1'"
    create(db, "id int, candidates int[]", f"{options}, candidates '{{1,3000000000}}'")
    assert fetch(db, "SELECT id FROM own") == [(1,)]
    error = fails("SELECT candidates FROM own")
    assert error.sqlstate == "22003"
    assert "value 3000000000 is out of range for type integer" in str(error)
