"""Every natural way to write the value of a vector parameter, on either side of the `=`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

VECTOR = [0, 1, 0, 0, 0, 0, 1, 0]
SEARCH = "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND k = 3 AND {}"
ARRAY_TYPES = (
    "real[]", "double precision[]", "numeric[]", "integer[]", "bigint[]", "smallint[]", "attention_vector",
)  # fmt: skip
EXPRESSIONS = (
    "'[0, 1, 0, 0, 0, 0, 1, 0]'",
    "'{0,1,0,0,0,0,1,0}'",
    " '  [0,1e0 , +0.0,-0,\t.0,0,1.,0]\n'",
    "ARRAY[0, 1, 0, 0, 0, 0, 1, 0]",
    "ARRAY[0, 1.0, 0, 0, 0, 0, 1.0, 0]",
    "ARRAY[0, 1e0, 0, 0, 0, 0, 1, 0]",
    *(f"ARRAY[0, 1, 0, 0, 0, 0, 1, 0]::{array}" for array in ARRAY_TYPES if array != "attention_vector"),
    "ARRAY[0, 1, 0, 0, 0, 0, 1, 0]::real[]::attention_vector",
    "'[0, 1, 0, 0, 0, 0, 1, 0]'::attention_vector",
    "'[0, 1, 0, 0, 0, 0, 1, 0]'::text::attention_vector",
    "'[0, 1, 0, 0, 0, 0, 1, 0]'::jsonb::attention_vector",
    "(SELECT ARRAY[0, 1, 0, 0, 0, 0, 1, 0])",
    "(SELECT ARRAY[0, 1, 0, 0, 0, 0, 1, 0.0]::real[])",
    "array_fill(0::real, '{1}') || '{1,0,0,0,0,1,0}'::real[]",
    "ARRAY(SELECT v FROM unnest(ARRAY[0, 1, 0, 0, 0, 0, 1, 0]) v)",
    "CASE WHEN random() < 2 THEN '{0,1,0,0,0,0,1,0}'::real[] END",
)


@pytest.fixture
def expected(rows: Callable[..., Rows]) -> Rows:
    found = rows(SEARCH.format("query = '{0,1,0,0,0,0,1,0}'::real[]::attention_vector"))
    assert len(found) == 3
    assert found != rows(SEARCH.format("query = '{1,0,0,0,0,0,0,1}'::real[]::attention_vector"))
    return found


@pytest.mark.bundled
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_any_vector_type_works_on_either_side(
    rows: Callable[..., Rows], expected: Rows, expression: str
) -> None:
    assert rows(SEARCH.format(f"query = {expression}")) == expected
    assert rows(SEARCH.format(f"{expression} = query")) == expected


@pytest.mark.bundled
@pytest.mark.parametrize("array", ARRAY_TYPES)
def test_a_column_of_each_type_works_on_either_side(
    documents: Connection, rows: Callable[..., Rows], expected: Rows, array: str
) -> None:
    documents.execute(f"CREATE TABLE given AS SELECT '{{0,1,0,0,0,0,1,0}}'::{array} AS v".encode())
    search = (
        "SELECT s.id, s.score FROM given g, mha_search s WHERE s.table_name = 'documents' AND s.k = 3 AND {}"
    )
    assert rows(search.format("s.query = g.v")) == expected
    assert rows(search.format("g.v = s.query")) == expected
    assert rows(SEARCH.format("query = (SELECT v FROM given)")) == expected


@pytest.mark.parametrize("array", ARRAY_TYPES)
def test_a_function_of_each_type_works(
    documents: Connection, rows: Callable[..., Rows], expected: Rows, array: str
) -> None:
    documents.execute(
        f"CREATE FUNCTION given() RETURNS {array} LANGUAGE sql STABLE"
        f" AS $$SELECT '{{0,1,0,0,0,0,1,0}}'::{array}$$".encode()
    )
    assert rows(SEARCH.format("query = given()")) == expected
    documents.execute("ALTER FUNCTION given() VOLATILE")
    assert rows(SEARCH.format("query = given()")) == expected


@pytest.mark.parametrize("array", [*ARRAY_TYPES, "unknown"])
def test_a_prepared_statement_takes_a_parameter_of_each_type(
    documents: Connection, rows: Callable[..., Rows], expected: Rows, array: str
) -> None:
    search = SEARCH.format("query = $1").encode()
    with documents.transaction():
        documents.execute(f"PREPARE search ({array}) AS ".encode() + search)
    for mode in ("force_custom_plan", "force_generic_plan"):
        documents.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
        assert rows("EXECUTE search('{0,1,0,0,0,0,1,0}')") == expected
    documents.execute("DEALLOCATE search")


@pytest.mark.parametrize(
    "value",
    [VECTOR, [float(v) for v in VECTOR], [v * 1.0 for v in VECTOR], str(VECTOR), "{0,1,0,0,0,0,1,0}"],
    ids=["integers", "floats", "products", "text in brackets", "text in braces"],
)
@pytest.mark.parametrize("binary", [False, True], ids=["text format", "binary format"])
def test_a_driver_gives_a_list_or_a_text(
    documents: Connection, expected: Rows, value: object, binary: bool
) -> None:
    placeholder = "%b" if binary and not isinstance(value, str) else "%s"
    query = SEARCH.format(f"query = {placeholder}").encode()
    assert documents.execute(query, (value,)).fetchall() == expected


@pytest.mark.usefixtures("pgvector")
@pytest.mark.parametrize("vector", ["vector", "halfvec"])
def test_pgvector_values_work_with_the_companion_extension(
    documents: Connection, rows: Callable[..., Rows], expected: Rows, vector: str
) -> None:
    documents.execute("CREATE EXTENSION vector")
    documents.execute("CREATE EXTENSION ruattn_fdw_pgvector")
    literal = f"'[0,1,0,0,0,0,1,0]'::{vector}"
    documents.execute(f"CREATE TABLE given AS SELECT {literal} AS v".encode())
    search = (
        "SELECT s.id, s.score FROM given g, mha_search s WHERE s.table_name = 'documents' AND s.k = 3 AND {}"
    )
    assert rows(SEARCH.format(f"query = {literal}")) == expected
    assert rows(SEARCH.format(f"{literal} = query")) == expected
    assert rows(SEARCH.format("query = (SELECT v FROM given)")) == expected
    assert rows(search.format("s.query = g.v")) == expected
    assert rows(search.format("g.v = s.query")) == expected


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("'0, 1'", "22P02"),
        ("'[0, 1'", "22P02"),
        ("'[0, 1}'", "22P02"),
        ("'[0, one]'", "22P02"),
        ("'[0, 1e99]'", "22003"),
        ("'{{0, 1}, {1, 0}}'", "22P02"),
        ("'[0, 1]'::text", "42883"),
        ("ARRAY['0', '1']::text[]", "42804"),
        ("5", "42883"),
    ],
)
def test_what_is_no_vector_is_refused(failure: Callable[..., Any], query: str, state: str) -> None:
    assert failure(SEARCH.format(f"query = {query}")).sqlstate == state


def test_a_double_beyond_single_precision_is_refused(failure: Callable[..., Any]) -> None:
    found = failure(SEARCH.format("query = ARRAY[1e300, 0, 0, 0, 0, 0, 0, 0]::double precision[]"))
    assert found.sqlstate in ("22000", "22003")
