"""What PostgreSQL still filters itself: second equalities, row locks, views, booleans."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

SEARCH = "table_name = 'documents' AND query_id = 1"


@pytest.mark.parametrize(
    ("clauses", "number"),
    [
        ("k = 2 AND k = 2", 2),
        ("k = 2 AND k = 3", 0),
        ("k = 2 AND k = 2::bigint", 2),
        ("k = 2 AND k = (SELECT 2)", 2),
        ("k = 2 AND k = (SELECT 3)", 0),
        ("k = (SELECT 2) AND k IN (2, 3)", 2),
        ("k IN (2, 3) AND k IN (3, 4)", 3),
        ("k = 2 AND k IS NOT DISTINCT FROM k AND true", None),
    ],
)
def test_of_two_clauses_on_a_parameter_one_filters_the_shown_value(
    rows: Callable[..., Rows], failure: Callable[..., Any], clauses: str, number: int | None
) -> None:
    query = f"SELECT id FROM mha_search WHERE {SEARCH} AND {clauses}"
    if number is None:
        assert failure(query).sqlstate == "0A000"
    else:
        assert len(rows(query)) == number


def test_a_second_vector_filters_the_shown_one(rows: Callable[..., Rows]) -> None:
    query = (
        "SELECT count(*) FROM mha_search WHERE table_name = 'documents' AND k = 2"
        " AND query = (SELECT embedding FROM documents WHERE id = 1)"
        " AND query = (SELECT embedding FROM documents WHERE id = {})"
    )
    assert rows(query.format(1)) == [(2,)]
    assert rows(query.format(2)) == [(0,)]


def test_two_join_clauses_on_one_parameter_must_both_hold(rows: Callable[..., Rows]) -> None:
    found = rows(
        "SELECT d.id, e.id, count(*) FROM documents d, documents e, mha_search s WHERE s.table_name ="
        " 'documents'"
        " AND s.query = d.embedding AND s.query = e.embedding AND s.k = 2 AND d.id < 4 GROUP BY 1, 2"
        " ORDER BY 1, 2"
    )
    assert found == [(1, 1, 2), (2, 2, 2), (3, 3, 2)]


def test_result_columns_filter_as_sql_says(rows: Callable[..., Rows], nearest: dict[int, list[int]]) -> None:
    query = f"SELECT id FROM mha_search WHERE {SEARCH} AND {{}} ORDER BY rank"
    assert rows(query.format("rank BETWEEN 2 AND 4")) == [(i,) for i in nearest[1][1:4]]
    assert rows(query.format("(id = 7 OR id IN (1, 4))")) == [(i,) for i in nearest[1] if i in (1, 4, 7)]
    assert rows(query.format("score < 0 AND lse[1] > 0")) == []
    assert rows(query.format("k = 3 AND id % 2 = 0")) == [(i,) for i in nearest[1][:3] if i % 2 == 0]


UNSUPPORTED = (
    "{p} <> {v}", "{p} IS NULL", "{p} IS NOT NULL", "{p} IS DISTINCT FROM {v}", "NOT {p} = {v}",
    "{p} NOT IN ({v})", "({p} = {v} OR {p} IS NULL)", "({p} = {v} OR id = 1)", "{p} = ALL (ARRAY[{v}])",
    "COALESCE({p}, {v}) = {v}", "{p}::text = '2'", "({p}, id) = ({p}, 1)", "{p} = {p}",
    "CASE WHEN {p} = {v} THEN true END",
)  # fmt: skip


@pytest.mark.parametrize("form", UNSUPPORTED)
@pytest.mark.parametrize(("parameter", "value"), [("k", "2"), ("temperature", "1.5::float8")])
def test_any_other_clause_on_a_parameter_is_refused(
    failure: Callable[..., Any], form: str, parameter: str, value: str
) -> None:
    clause = form.format(p=parameter, v=value)
    found = failure(f"SELECT id FROM mha_search WHERE {SEARCH} AND {clause}")
    assert found.sqlstate == "0A000"
    assert found.message_primary == f'parameter "{parameter}" of mha_search can only be compared with "="'
    assert parameter in found.message_detail
    assert found.message_hint.startswith("For example: SELECT id, score FROM mha_search WHERE table_name = ")


@pytest.mark.parametrize(
    "clause",
    [
        "k > 2", "k BETWEEN 1 AND 3", "k + 0 = 2", "-k = -2", "k = 10.0", "k = 10.0::real", "k = id",
        "abs(k) = 2", "attention_type LIKE 'cos%'", "attention_type || '' = 'cosine'",
        "attention_type ~ 'cosine'",
        "lower(attention_type) = 'cosine'", "attention_type > 'cosine'", "candidates @> '{1}'",
        "candidates[1] = 1",
        "3 = ANY (candidates)", "options ->> 'a' = '1'", "options @> '{}'", "query_id > 3",
        "query::real[] = '{1}'", "num_heads::bigint = 4", "temperature > 0",
    ],
)  # fmt: skip
def test_other_operators_on_parameters_are_refused(failure: Callable[..., Any], clause: str) -> None:
    assert failure(f"SELECT id FROM mha_search WHERE {SEARCH} AND {clause}").sqlstate == "0A000"


def test_a_join_clause_of_another_form_is_refused(failure: Callable[..., Any]) -> None:
    for clause in ("s.k < d.id", "s.k = d.id OR s.id = d.id", "s.k::numeric = d.id", "s.k + d.id = 4"):
        found = failure(
            f"SELECT s.id FROM documents d, mha_search s WHERE s.table_name = 'documents' AND"
            f" s.query_id = 1 AND {clause}"
        )
        assert found.sqlstate == "0A000"
        assert found.message_hint.startswith("For example: ")


def test_an_operator_of_a_user_is_no_parameter(documents: Connection, failure: Callable[..., Any]) -> None:
    documents.execute("CREATE FUNCTION attention_vector_sly(integer, text) RETURNS boolean IMMUTABLE"
                      " LANGUAGE plpgsql AS 'BEGIN RETURN true; END'")  # fmt: skip
    documents.execute(
        "CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = text, FUNCTION = attention_vector_sly)"
    )
    assert failure(f"SELECT id FROM mha_search WHERE {SEARCH} AND k = '2'::text").sqlstate == "0A000"
    documents.execute("CREATE SCHEMA shadow")
    documents.execute("CREATE FUNCTION shadow.same(integer, integer) RETURNS boolean IMMUTABLE"
                      " LANGUAGE plpgsql AS 'BEGIN RETURN true; END'")  # fmt: skip
    documents.execute(
        "CREATE OPERATOR shadow.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = shadow.same)"
    )
    assert failure(f"SELECT id FROM mha_search WHERE {SEARCH} AND k OPERATOR(shadow.=) 2").sqlstate == "0A000"


def test_views_over_a_search_take_its_parameters(
    documents: Connection, rows: Callable[..., Rows], failure: Callable[..., Any]
) -> None:
    for option in ("", "WITH (security_barrier)"):
        documents.execute(
            f"CREATE OR REPLACE VIEW searches {option} AS SELECT * FROM mha_search WHERE table_name ="
            f" 'documents'".encode()
        )
        assert len(rows("SELECT id FROM searches WHERE query_id = 1 AND k = 2")) == 2
        assert rows("SELECT count(*) FROM searches WHERE query_id IN (1, 2) AND k = 2 AND score > 0") == [
            (4,)
        ]
    join = "documents d JOIN searches s ON s.query = d.embedding"
    joined = f"SELECT d.id, count(*) FROM {join} GROUP BY 1 ORDER BY 1"
    found = failure(joined)
    assert found.sqlstate == "HV000", "a join may not look behind a security barrier"
    assert "LATERAL" in found.message_hint
    documents.execute("ALTER VIEW searches RESET (security_barrier)")
    assert rows(joined) == [(i, 12) for i in range(1, 13)]


@pytest.fixture
def flags(documents: Connection) -> Connection:
    """The function of a boolean clause needs a boolean parameter; none of the shipped tables has one."""
    documents.execute("CREATE TABLE flags (id integer, yes boolean)")
    documents.execute("INSERT INTO flags VALUES (1, true), (2, false), (3, NULL)")
    return documents


def test_boolean_conditions_beside_the_parameters(flags: Connection, rows: Callable[..., Rows]) -> None:
    query = f"SELECT f.id, count(*) FROM flags f, mha_search s WHERE {SEARCH} AND {{}} GROUP BY 1 ORDER BY 1"
    assert rows(query.format("f.yes AND s.k = 2")) == [(1, 2)]
    assert rows(query.format("NOT f.yes AND s.k = f.id")) == [(2, 2)]
    assert rows(query.format("(f.yes) IS NOT TRUE AND s.k = f.id")) == [(2, 2), (3, 3)]
    assert rows(f"SELECT id FROM mha_search WHERE {SEARCH} AND false") == []
    assert rows(f"SELECT id FROM mha_search WHERE {SEARCH} AND NULL") == []
    assert rows(f"SELECT id FROM mha_search WHERE {SEARCH} AND k = 1 AND (SELECT true)") == [(1,)]
    assert rows(f"SELECT id FROM mha_search WHERE {SEARCH} AND k = 1 AND (SELECT false)") == []


UPDATES = {
    "UPDATE documents SET title = 'other' WHERE id = 2": [(1, 1, "document 1"), (2, 2, "other")],
    "UPDATE documents SET embedding = (SELECT embedding FROM documents WHERE id = 9) WHERE id = 2": [
        (1, 1, "document 1")
    ],
    "DELETE FROM documents WHERE id = 2": [(1, 1, "document 1")],
}


@pytest.fixture
def locked(connect: Callable[..., Connection]) -> Callable[[str], Rows]:
    """The rows of a locking join that waits for another session, which changes a row and commits."""
    first, second = connect(), connect()
    first.execute("CREATE TABLE documents (id int PRIMARY KEY, title text, embedding real[])")
    first.execute(
        "INSERT INTO documents SELECT i, 'document ' || i, ARRAY[cos(i), sin(i)] FROM"
        " generate_series(1, 12) i"
    )
    query = (
        "SELECT d.id, s.id, d.title FROM documents d, mha_search s WHERE s.table_name = 'documents'"
        " AND s.query = d.embedding AND s.num_heads = 1 AND s.k = 1 AND d.id < 3 ORDER BY d.id FOR"
        " UPDATE OF d"
    )

    def run(update: str) -> Rows:
        with ThreadPoolExecutor(1) as pool:
            with first.transaction():
                first.execute(update.encode())
                waiting = pool.submit(lambda: second.execute(query.encode()).fetchall())
                wait_for_lock(first, second)
            return waiting.result()

    return run


def wait_for_lock(connection: Connection, blocked: Connection) -> None:
    deadline = monotonic() + 20
    query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    while connection.execute(query, (blocked.info.backend_pid,)).fetchall() != [(True,)]:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        assert monotonic() < deadline, "the query never came to the lock"
        sleep(0.01)


@pytest.mark.parametrize("update", UPDATES)
def test_a_row_that_changed_under_a_lock_is_joined_to_its_new_value_or_not_at_all(
    locked: Callable[[str], Rows], update: str
) -> None:
    assert locked(update) == UPDATES[update]
