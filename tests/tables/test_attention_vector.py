"""The type attention_vector: input and output, casts, operators, operator classes."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

ARRAY_TYPES = ("real[]", "double precision[]", "numeric[]", "integer[]", "bigint[]", "smallint[]")
PAIRS = """
CREATE TABLE a AS SELECT i, ARRAY[i % 3, i % 2]::real[]::attention_vector AS v FROM generate_series(1, 60) i;
CREATE TABLE b AS SELECT i, ARRAY[i % 3, 1]::real[]::attention_vector AS v FROM generate_series(1, 9) i;
ANALYZE a, b;
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[0.1, -2]", "{0.1,-2}"),
        ("{0.1,-2}", "{0.1,-2}"),
        (" [ 1e-3 ,+4.50 ] ", "{0.001,4.5}"),
        ("[]", "{}"),
        ("{ }", "{}"),
        ("[1e-60]", "{0}"),
        ("[3.4028235e38]", "{3.4028235e+38}"),
        ("[-0]", "{-0}"),
        ("[16777217]", "{1.6777216e+07}"),
    ],
)
def test_input_in_either_notation_comes_out_as_an_array(
    rows: Callable[..., Rows], text: str, shown: str
) -> None:
    assert rows("SELECT %s::attention_vector::text", text) == [(shown,)]
    assert rows("SELECT %s::text::attention_vector::text", text) == [(shown,)]
    assert rows("SELECT %s::attention_vector::text::attention_vector::text", text) == [(shown,)]


@pytest.mark.parametrize(
    "text", ["", "[", "{", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] 2", "1", "[x]", "[NULL]"]
)
def test_bad_input_is_a_syntax_error_with_a_hint(failure: Callable[..., Any], text: str) -> None:
    found = failure("SELECT %s::attention_vector", text)
    assert found.sqlstate == "22P02"
    assert found.message_primary == f'invalid input syntax for type attention_vector: "{text}"'
    assert found.message_hint == "Write a vector as '[0.1, 0.2]' or '{0.1, 0.2}'."


def test_long_input_is_quoted_in_part(failure: Callable[..., Any]) -> None:
    found = failure("SELECT %s::attention_vector", "[" + "1," * 10000)
    assert len(found.message_primary) < 150


def test_binary_copy_is_that_of_an_array_and_makes_the_round_trip(documents: Connection) -> None:
    documents.execute("CREATE TABLE t (v attention_vector)")
    documents.execute("INSERT INTO t VALUES ('[1.5, -2, 1e-3]'), ('[]'), (NULL)")
    with documents.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
        binary = b"".join(bytes(part) for part in copy)
    with documents.cursor().copy("COPY (SELECT v::real[] FROM t) TO STDOUT (FORMAT binary)") as copy:
        assert b"".join(bytes(part) for part in copy) == binary
    documents.execute("CREATE TABLE u (v attention_vector)")
    with documents.cursor().copy("COPY u FROM STDIN (FORMAT binary)") as copy:
        copy.write(binary)
    assert (
        documents.execute("SELECT v::text FROM u").fetchall()
        == documents.execute("SELECT v::text FROM t").fetchall()
    )


def test_binary_input_of_another_element_type_is_refused(documents: Connection) -> None:
    documents.execute("CREATE TABLE t (v attention_vector)")
    array = struct.pack("!iiIii", 1, 0, 701, 1, 1) + struct.pack("!id", 8, 1.0)
    row = struct.pack("!hi", 1, len(array)) + array + struct.pack("!h", -1)
    copy = documents.cursor().copy("COPY t FROM STDIN (FORMAT binary)")
    with pytest.raises(psycopg.Error) as caught, documents.transaction(), copy as stream:
        stream.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0) + row)
    assert caught.value.sqlstate == "42804"


@pytest.mark.parametrize("text", ["x" + "é" * 40, "[" + "9" * 1000 + "]"])
def test_messages_show_the_first_whole_characters(failure: Callable[..., Any], text: str) -> None:
    message = failure("SELECT %s::attention_vector", text).message_primary
    assert "..." in message
    assert "\ufffd" not in message
    assert len(message.encode()) < 160


def test_no_cast_is_implicit(rows: Callable[..., Rows]) -> None:
    """An implicit one would make users' own operators on arrays ambiguous."""
    casts = rows(
        "SELECT castsource::regtype::text, casttarget::regtype::text, castcontext FROM pg_cast"
        " WHERE 'attention_vector'::regtype IN (castsource, casttarget)"
    )
    into = {source: context for source, target, context in casts if target == "attention_vector"}
    assert into == dict.fromkeys(ARRAY_TYPES, "a") | {"text": "e", "jsonb": "e"}
    assert [cast for cast in casts if cast[0] == "attention_vector"] == [("attention_vector", "real[]", "a")]


@pytest.mark.parametrize("array", ARRAY_TYPES)
def test_arrays_are_cast_on_assignment_element_by_element(
    documents: Connection, rows: Callable[..., Rows], array: str
) -> None:
    documents.execute("CREATE TABLE t (v attention_vector)")
    documents.execute(f"INSERT INTO t SELECT '{{1,-20,300}}'::{array}".encode())
    assert rows("SELECT v::real[] FROM t") == [([1.0, -20.0, 300.0],)]


def test_assignment_to_a_real_array_works_and_to_others_does_not(
    documents: Connection, failure: Callable[..., Any]
) -> None:
    documents.execute("CREATE TABLE t (r real[], d double precision[])")
    documents.execute("INSERT INTO t (r) SELECT '[1, 2]'::attention_vector")
    assert documents.execute("SELECT r FROM t").fetchall() == [([1.0, 2.0],)]
    assert failure("INSERT INTO t (d) SELECT '[1, 2]'::attention_vector").sqlstate == "42804"


def test_comparison_is_that_of_arrays(rows: Callable[..., Rows]) -> None:
    vectors = ("{}", "{1}", "{1,2}", "{1,3}", "{2}", "{-0}", "{0}", "{NaN}")
    for operator in ("=", "<>", "<", "<=", ">=", ">"):
        query = "SELECT {0} FROM unnest(%s::text[]) a, unnest(%s::text[]) b ORDER BY a, b"
        ours = query.format(f"a::real[]::attention_vector {operator} b::real[]::attention_vector")
        theirs = query.format(f"a::real[] {operator} b::real[]")
        assert rows(ours, list(vectors), list(vectors)) == rows(theirs, list(vectors), list(vectors))


@pytest.mark.parametrize("array", ARRAY_TYPES)
def test_equality_with_each_array_type_compares_as_vectors(rows: Callable[..., Rows], array: str) -> None:
    query = f"SELECT v = %s::{array}, %s::{array} = v FROM (SELECT '[1, 2]'::attention_vector) AS t (v)"
    assert rows(query, "{1,2}", "{1,2}") == [(True, True)]
    assert rows(query, "{1,3}", "{2,1}") == [(False, False)]
    assert rows(query, "{1}", "{1,2,3}") == [(False, False)]
    assert rows(query, "{NULL,2}", "{1,NULL}") == [(False, False)]
    assert rows(query, "[0:1]={1,2}", "{{1,2}}") == [(False, False)]
    assert rows(query, None, None) == [(None, None)]


def test_equality_rounds_the_other_side_to_single_precision(rows: Callable[..., Rows]) -> None:
    assert rows("SELECT '[0.1]'::attention_vector = ARRAY[0.1], 0.1::real = 0.1::float8") == [(True, False)]


def test_there_is_no_arithmetic(failure: Callable[..., Any]) -> None:
    for operator in "+-*/":
        found = failure(f"SELECT '[1]'::attention_vector {operator} '[1]'::attention_vector")
        assert found.sqlstate == "42883"


def test_it_groups_sorts_and_is_distinct(documents: Connection, rows: Callable[..., Rows]) -> None:
    documents.execute(PAIRS)
    expected = [(f"{{{i},{j}}}", 10) for i in range(3) for j in range(2)]
    for setting in ("enable_hashagg", "enable_sort"):
        documents.execute(f"SET LOCAL {setting} = off".encode())
        assert (
            rows("SELECT v::text, n FROM (SELECT v, count(*) n FROM a GROUP BY v) g ORDER BY v") == expected
        )
        assert rows("SELECT count(*) FROM (SELECT DISTINCT v FROM a) d") == [(6,)]
        assert rows("SELECT count(*) FROM (SELECT v FROM a EXCEPT SELECT v FROM b) d") == [(3,)]
        documents.execute(f"SET LOCAL {setting} = on".encode())


@pytest.mark.parametrize(
    ("node", "off"),
    [
        ("Hash Join", "enable_mergejoin, enable_nestloop"),
        ("Merge Join", "enable_hashjoin, enable_nestloop"),
        ("Nested Loop", "enable_hashjoin, enable_mergejoin"),
    ],
)
def test_every_kind_of_join_works(
    documents: Connection, rows: Callable[..., Rows], plan: Callable[..., str], node: str, off: str
) -> None:
    documents.execute(PAIRS)
    for setting in off.split(", "):
        documents.execute(f"SET LOCAL {setting} = off".encode())
    query = "SELECT count(*) FROM a JOIN b USING (v)"
    assert node in plan(query)
    assert rows(query) == [(90,)]


def test_in_exists_and_any_work(documents: Connection, rows: Callable[..., Rows]) -> None:
    documents.execute(PAIRS)
    assert rows("SELECT count(*) FROM a WHERE v IN (SELECT v FROM b)") == [(30,)]
    assert rows("SELECT count(*) FROM a WHERE v NOT IN (SELECT v FROM b)") == [(30,)]
    assert rows("SELECT count(*) FROM a WHERE EXISTS (SELECT FROM b WHERE b.v = a.v)") == [(30,)]
    assert rows("SELECT count(*) FROM a WHERE v = ANY (ARRAY['[0,1]', '[1,1]']::attention_vector[])") == [
        (20,)
    ]


def test_columns_of_the_type_can_be_indexed(documents: Connection, plan: Callable[..., str]) -> None:
    documents.execute(PAIRS)
    documents.execute("SET LOCAL enable_seqscan = off")
    for method in ("btree", "hash"):
        documents.execute(f"CREATE INDEX i_{method} ON a USING {method} (v)".encode())
        assert f"i_{method}" in plan("SELECT * FROM a WHERE v = '[0, 1]'")
        documents.execute(f"DROP INDEX i_{method}".encode())


def test_vectors_longer_than_a_page_are_kept(documents: Connection, rows: Callable[..., Rows]) -> None:
    documents.execute("CREATE TABLE t (v attention_vector)")
    documents.execute("INSERT INTO t SELECT array_agg(random())::real[] FROM generate_series(1, 20000)")
    documents.execute("INSERT INTO t SELECT v FROM t")
    assert rows("SELECT count(DISTINCT v), max(array_length(v::real[], 1)) FROM t") == [(1, 20000)]


def test_a_timeout_takes_effect_while_a_long_text_is_read(documents: Connection) -> None:
    documents.execute("CREATE TABLE long AS SELECT '[' || repeat('1,', 50000000) || '1]' AS v")
    documents.execute("SET statement_timeout = 500")
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        documents.execute("SELECT v::attention_vector IS NULL FROM long")
    assert time.monotonic() - begun < 3
