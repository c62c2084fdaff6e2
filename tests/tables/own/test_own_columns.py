"""A user's own foreign tables: columns of the source."""

from typing import Any

import pytest
from psycopg import Connection

from tests.tables.own.tables import OPTIONS, QUERY, Failure, create, fetch


def test_the_example_of_the_documentation(db: Connection[Any]) -> None:
    create(db, "doc uuid, title text, score real, query attention_vector, k int")
    rows = fetch(db, f"SELECT title, score, doc = md5('3')::uuid FROM own WHERE {QUERY} AND k = 10")
    assert len(rows) == 10
    assert (rows[0][0], rows[0][2]) == ("title 3", True)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_columns_of_the_source_come_in_their_own_types(db: Connection[Any]) -> None:
    create(
        db,
        "doc uuid, title varchar, pages int, written date, tags text[], embedding real[],"
        " query attention_vector",
    )
    shown = "doc, title, pages, written, tags, embedding"
    rows = fetch(db, f"SELECT {shown} FROM own WHERE {QUERY} ORDER BY doc")
    assert rows == fetch(db, f"SELECT {shown} FROM corpus ORDER BY doc")
    assert fetch(db, f"SELECT count(*) FROM own WHERE {QUERY} AND pages > 60") == [(6,)]


@pytest.mark.bundled
def test_columns_of_the_source_are_read_for_the_rows_given_out_only(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FUNCTION noisy(i int) RETURNS int STABLE LANGUAGE plpgsql
        AS 'BEGIN RAISE NOTICE ''read''; RETURN i; END';
        CREATE TABLE many AS SELECT i AS id, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 5000) i;
        CREATE VIEW counted AS SELECT id, v, noisy(id) AS n FROM many
    """)
    reads: list[str] = []
    db.add_notice_handler(lambda diagnostic: reads.append(str(diagnostic.message_primary)))
    create(
        db,
        "id int, n int, score real",
        "operation 'mha_search', table_name 'counted', num_heads '1', query '{1,0}'",
    )
    reads.clear()
    assert len(fetch(db, "SELECT id FROM own LIMIT 3")) == 3
    assert reads == []
    assert [row[0] for row in fetch(db, "SELECT n FROM own LIMIT 100")] == list(range(5000, 4900, -1))
    assert 100 <= len(reads) <= 300


def test_a_source_of_more_rows_than_are_read_at_a_time(db: Connection[Any]) -> None:
    db.execute(
        "CREATE TABLE many AS"
        " SELECT i AS id, i * 2 AS twice, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 5000) i"
    )
    options = "operation 'mha_search', table_name 'many', num_heads '1', query '{1,0}'"
    create(db, "id int, twice int", options)
    assert fetch(db, "SELECT count(*), count(*) FILTER (WHERE twice = id * 2) FROM own") == [(5000, 5000)]


def test_a_column_that_the_source_lacks_is_an_error_with_the_nearest(
    db: Connection[Any], fails: Failure
) -> None:
    create(db, "doc uuid, titel text, query attention_vector")
    assert len(fetch(db, f"SELECT doc FROM own WHERE {QUERY}")) == 12
    error = fails(f"SELECT titel FROM own WHERE {QUERY}")
    assert error.sqlstate == "42703"
    assert 'column "titel" of relation "corpus" does not exist' in str(error)
    assert 'Perhaps you meant "title".' in str(error.diag.message_hint)


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("score int", 'column "score" has type integer, which cannot hold values of type real'),
        ("head_scores text", 'column "head_scores" has type text, which cannot hold values of type real[]'),
        (
            "lse bigint[]",
            'column "lse" has type bigint[], which cannot hold values of type double precision[]',
        ),
        (
            "num_heads int[]",
            'column "num_heads" has type integer[], which cannot hold values of type integer',
        ),
        (
            "temperature int",
            'column "temperature" has type integer, which cannot hold values of type double precision',
        ),
        ("options int", 'column "options" has type integer, which cannot hold values of type jsonb'),
        ("options real[]", 'column "options" has type real[], which cannot hold values of type jsonb'),
    ],
)
def test_a_column_must_be_able_to_hold_what_it_shows(
    db: Connection[Any], fails: Failure, columns: str, message: str
) -> None:
    create(db, f"rank bigint, {columns}", f"{OPTIONS}, query '{{1,0,0,0}}', options '{{}}'")
    error = fails("SELECT * FROM own")
    assert (error.sqlstate, message) == ("42804", error.diag.message_primary)
    assert "ALTER COLUMN" in str(error.diag.message_hint)


@pytest.mark.bundled
@pytest.mark.parametrize("columns", ["id int[], place int", "place int, options attention_vector"])
def test_a_value_of_another_form_than_its_column_is_given_as_text(
    db: Connection[Any], fails: Failure, columns: str
) -> None:
    db.execute("CREATE TABLE placed AS SELECT 1 AS place, '{1,1}'::real[] AS v")
    options = "operation 'mha_search', table_name 'placed', id_column 'place', query '{1,0}'"
    create(db, columns, f"{options}, attention_type 'dot', options '{{\"scale\": 1}}'")
    assert fails("SELECT * FROM own").sqlstate == "22P02"
