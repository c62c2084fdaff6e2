"""A user's own foreign tables: parameters as OPTIONS, as defaults or for good."""

from typing import Any

import pytest
from psycopg import Connection

from tests.tables.own.tables import OPTIONS, QUERY, Failure, create, fetch


@pytest.mark.bundled
def test_an_option_is_a_default_that_a_query_overrides(db: Connection[Any]) -> None:
    create(
        db, "doc uuid, query attention_vector, query_id uuid, k int", f"{OPTIONS}, k '2', query '{{1,0,0,0}}'"
    )
    assert len(fetch(db, "SELECT doc FROM own")) == 2
    assert fetch(db, "SELECT DISTINCT k, query::text FROM own WHERE k = 3") == [(3, "{1,0,0,0}")]
    rows = fetch(db, "SELECT doc = md5('5')::uuid, query FROM own WHERE query_id = md5('5')::uuid")
    assert rows[0] == (True, None)


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("option", "clause"),
    [
        ("k '2'", "k = 2"),
        ("query '{1,0,0,0}'", "query = '{0,1,0,0}'"),
        ("query '{1,0,0,0}'", "query_id = md5('5')::uuid"),
        ("attention_type 'cosine'", "attention_type = (SELECT 'scaled_dot')"),
    ],
)
def test_a_locked_option_cannot_be_overridden(
    db: Connection[Any], fails: Failure, option: str, clause: str
) -> None:
    columns = "doc uuid, query attention_vector, query_id uuid, k int, attention_type text"
    needed = "" if "query" in option else ", query '{1,0,0,0}'"
    create(db, columns, f"{OPTIONS}, {option}{needed}, locked 'true'")
    assert fetch(db, "SELECT count(*) > 0 FROM own") == [(True,)]
    error = fails(f"SELECT doc FROM own WHERE {clause}")
    assert error.sqlstate == "22023"
    assert f'parameter "{option.split()[0]}" is locked to' in str(error)
    assert error.diag.message_hint
    db.execute("ALTER FOREIGN TABLE own OPTIONS (SET locked 'false')")
    assert fetch(db, f"SELECT count(*) > 0 FROM own WHERE {clause}") == [(True,)]


def test_a_locked_table_takes_what_it_does_not_fix(db: Connection[Any]) -> None:
    create(db, "doc uuid, query attention_vector, k int", f"{OPTIONS}, locked 'yes'")
    assert len(fetch(db, f"SELECT doc FROM own WHERE {QUERY} AND k = 4")) == 4


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("options", "sqlstate", "message"),
    [
        ("table_name 'corpus'", "HV00J", 'the option "operation" is missing'),
        ("operation 'mha_serch'", "HV00D", 'there is no operation "mha_serch"'),
        ("operation 'mha_search', num_head '2'", "HV00D", 'invalid option "num_head"'),
        ("operation 'mha_search', k 'ten'", "22023", 'k must be of type integer, got "ten"'),
        ("operation 'mha_search', k '0'", "22023", "k must be between 1 and 2147483647, got 0"),
        ("operation 'mha_search', temperature '-1'", "22023", "temperature must be greater than 0"),
        ("operation 'mha_search', query '{1,NaN}'", "22000", "query has nan at position 2"),
        ("operation 'mha_search', queries '{1,2}'", "22000", "queries must be a two-dimensional array"),
        ("operation 'mha_search', options '{'", "22023", "options is not valid JSON"),
        ("operation 'mha_search', attention_type 'cosin'", "22023", "unknown attention mechanism 'cosin'"),
        (
            "operation 'mha_search', attention_type 'cosine', options '{\"a\": 1}'",
            "22023",
            "cosine has no option 'a'",
        ),
        ("operation 'mha_search', locked 'perhaps'", "22023", "locked must be true or false"),
        ("operation 'mha_search', query '{1}', query_id '1'", "22023", "query and query_id are both fixed"),
    ],
)
def test_options_are_checked_when_the_table_is_created(
    fails: Failure, options: str, sqlstate: str, message: str
) -> None:
    error = fails(f"CREATE FOREIGN TABLE own (id bigint) SERVER ruattn OPTIONS ({options})")
    assert (error.sqlstate, message in str(error)) == (sqlstate, True), str(error)
    assert error.diag.message_hint
