"""ruvector_mha_search and ruvector_cross_attention: the plan's calls, and what they say of themselves."""

import psycopg
import pytest


@pytest.fixture
def questions(documents):
    documents.execute("CREATE TABLE questions (id bigint PRIMARY KEY, v real[])")
    documents.execute("INSERT INTO questions SELECT id, embedding FROM documents WHERE id <= 3")
    return documents


@pytest.mark.parametrize(
    "query",
    [
        "'[1,0,0,0,0,0,0,0]'",
        "'{1,0,0,0,0,0,0,0}'",
        "ARRAY[1,0,0,0,0,0,0,0]",
        "ARRAY[1.0,0,0,0,0,0,0,0]::float8[]",
    ],
)
def test_mha_search_is_the_table(rows, query):
    found = rows(f"SELECT * FROM ruvector_mha_search('documents', {query}, 4, 3)")
    assert found == rows(
        "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND query = '{1,0,0,0,0,0,0,0}'"
        " AND num_heads = 4 AND k = 3"
    )


def test_mha_search_by_names_with_defaults(rows):
    found = rows(
        "SELECT id, score FROM ruvector_mha_search(table_name := 'documents',"
        " query := (SELECT embedding FROM documents WHERE id = 5), num_heads := 8, k := 10)"
    )
    assert found == rows(
        "SELECT id, score FROM mha_search WHERE table_name = 'documents' AND query_id = 5 AND k = 10"
    )
    assert rows("SELECT count(*) FROM ruvector_mha_search('documents', '{1,0,0,0,0,0,0,0}')") == [(10,)]


def test_mha_search_joins_laterally(rows):
    assert rows(
        "SELECT d.id FROM documents d, ruvector_mha_search('documents', d.embedding, k := 1) s"
        " WHERE s.id = d.id ORDER BY d.id"
    ) == [(i,) for i in range(1, 13)]


def test_mha_search_of_null_is_empty(rows):
    assert rows("SELECT * FROM ruvector_mha_search('documents', NULL::real[])") == []
    assert rows("SELECT * FROM ruvector_mha_search(NULL, '{1,0}'::real[])") == []


@pytest.mark.bundled
def test_cross_attention_by_names_as_any_columns(questions, rows):
    call = (
        "SELECT * FROM ruvector_cross_attention(query_table := 'questions', query_column := 'v',"
        " document_table := 'documents', document_column := 'embedding', attention_type := 'scaled_dot')"
    )
    table = rows(
        "SELECT query_id, doc_id, score FROM cross_attention"
        " WHERE query_table = 'questions' AND document_table = 'documents'"
    )
    for columns in ("query_id int, doc_id int, score float", "q text, d numeric, s real"):
        found = [(int(q), int(d), s) for q, d, s in rows(f"{call} AS ({columns})")]
        assert found == [(q, d, pytest.approx(s, rel=1e-6)) for q, d, s in table]


@pytest.mark.bundled
def test_cross_attention_by_position(questions, rows):
    found = rows(
        "SELECT query_id, count(*) FROM ruvector_cross_attention('questions', 'v', 'documents', 'embedding')"
        " AS (query_id int, doc_id int, score float) GROUP BY query_id ORDER BY query_id"
    )
    assert found == [(1, 12), (2, 12), (3, 12)]


@pytest.mark.bundled
def test_cross_attention_takes_columns_of_ids_of_any_type(documents, rows):
    documents.execute("CREATE TABLE tags (tag text, rank int, v real[])")
    documents.execute("INSERT INTO tags VALUES ('red', 7, '{1,0}'), ('blue', 8, '{0,1}')")
    found = rows(
        "SELECT * FROM ruvector_cross_attention('tags', 'v', 'tags', 'v', query_id_column := 'tag',"
        " document_id_column := 'rank') AS (query text, doc int, score float) WHERE score > 0.5"
    )
    assert sorted(row[:2] for row in found) == [("blue", 8), ("red", 7)]


@pytest.mark.bundled
def test_cross_attention_of_null_relations_is_empty(rows):
    assert (
        rows(
            "SELECT * FROM ruvector_cross_attention(NULL, 'v', 'documents', 'embedding')"
            " AS (q int, d int, s float)"
        )
        == []
    )


@pytest.mark.bundled
def test_a_column_list_of_another_length_is_an_error(questions, failure):
    diag = failure(
        "SELECT * FROM ruvector_cross_attention('questions', 'v', 'documents', 'embedding') AS (q int, d int)"
    )
    assert diag.message_primary == "the function returns 3 columns, the call names 2"


@pytest.mark.bundled
def test_records_without_names_of_columns_are_an_error(questions, failure):
    diag = failure("SELECT ruvector_cross_attention('questions', 'v', 'documents', 'embedding')")
    assert (diag.sqlstate, diag.message_hint) == ("0A000", "Call it in FROM, and name its columns after AS.")


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("call", "state", "message"),
    [
        ("ruvector_mha_search('dokuments', '{1}')", "42P01", 'relation "dokuments" does not exist'),
        (
            "ruvector_mha_search('documents', '{1,0}', 1)",
            "22023",
            "query has 2 dimensions, documents.embedding has 8",
        ),
        ("ruvector_mha_search('documents', '{1,0}', k := 0)", "22023", "k must be between 1"),
        (
            "ruvector_cross_attention('documents', 'nope', 'documents', 'embedding')"
            " AS (q int, d int, s float)",
            "42703",
            'column "nope" of relation "documents" does not exist',
        ),
    ],
)
def test_errors_are_those_of_the_tables_with_their_hints(failure, call, state, message):
    diag = failure(f"SELECT * FROM {call}")
    assert diag.sqlstate == state
    assert message in diag.message_primary
    assert state == "22023" or diag.message_hint


@pytest.mark.bundled
def test_they_read_as_the_caller(documents):
    documents.execute("CREATE ROLE nobody_in_particular")
    documents.execute("SET LOCAL ROLE nobody_in_particular")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), documents.transaction():
        documents.execute("SELECT * FROM ruvector_mha_search('documents', '{1,0,0,0,0,0,0,0}')")


def test_functions_that_read_tables_are_stable_and_leave_parallel_workers_alone(rows):
    labels = rows(
        "SELECT proname, provolatile, proparallel FROM pg_proc WHERE proname IN"
        " ('ruvector_mha_search', 'ruvector_cross_attention') AND proretset"
    )
    assert {row[1:] for row in labels} == {("s", "r")}
