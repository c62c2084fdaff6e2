"""Users' own foreign tables, and the options of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

CORPUS = """
CREATE TABLE corpus AS SELECT md5(id::text)::uuid AS doc, 'title ' || id AS title, embedding FROM documents;
ALTER TABLE corpus ADD PRIMARY KEY (doc);
CREATE FOREIGN TABLE search (doc uuid, title text, score real, query attention_vector, query_id text,
                             candidates attention_vector, k int)
SERVER ruattn OPTIONS (operation 'mha_search', table_name 'corpus', id_column 'doc', num_heads '1')
"""


@pytest.fixture
def corpus(documents: Connection) -> Connection:
    """The same vectors under uuids, with titles, and a foreign table over them."""
    documents.execute(CORPUS)
    return documents


def test_ids_of_any_type_with_columns_of_the_source(corpus: Connection) -> None:
    vector = "(SELECT embedding FROM corpus WHERE title = 'title 3')"
    query = f"SELECT title FROM search WHERE query = {vector} AND k = 1"
    assert corpus.execute(query.encode()).fetchall() == [("title 3",)]


def test_ids_as_parameters(corpus: Connection) -> None:
    some = "ARRAY(SELECT doc FROM corpus WHERE title IN ('title 3', 'title 4'))"
    query = f"SELECT title FROM search WHERE query_id = md5('3')::uuid::text AND candidates = {some}"
    assert corpus.execute(query.encode()).fetchall() == [("title 3",), ("title 4",)]
    assert corpus.execute(f"EXPLAIN {query}".encode()).fetchall()


@pytest.mark.parametrize(
    ("column", "instead"),
    [
        ("candidates uuid[]", "attention_vector"),
        ("query_id uuid", "text"),
        ("options jsonb", "attention_vector"),
    ],
)
def test_a_type_that_explain_does_not_survive_is_refused(
    corpus: Connection, failure: Callable[..., Any], column: str, instead: str
) -> None:
    corpus.execute(
        f"CREATE FOREIGN TABLE unsafe (doc uuid, query attention_vector, {column}) SERVER ruattn "
        "OPTIONS (operation 'mha_search', table_name 'corpus', id_column 'doc')".encode()
    )
    error = failure(corpus, "SELECT doc FROM unsafe WHERE query = '{1,0,0,0}'")
    assert error.sqlstate == "42804"
    assert error.diag.message_primary.endswith(f"with Multicorn2 it must be {instead}")


def test_options_are_checked_at_the_first_use(corpus: Connection, failure: Callable[..., Any]) -> None:
    corpus.execute("ALTER FOREIGN TABLE search OPTIONS (ADD temprature '2')")
    error = failure(corpus, "SELECT doc FROM search WHERE query = '{1,0,0,0}'")
    assert error.sqlstate == "HV00D"
    assert "temperature" in error.diag.message_hint


@pytest.fixture
def server_options(documents: Connection) -> Iterator[Connection]:
    """Options of the server that are taken back."""
    documents.execute("ALTER SERVER ruattn OPTIONS (ADD features 'attention', ADD max_memory '1')")
    yield documents
    documents.execute("ALTER SERVER ruattn OPTIONS (DROP features, DROP max_memory)")


def test_options_of_the_server_are_its_settings(
    server_options: Connection, failure: Callable[..., Any]
) -> None:
    search = "SELECT id FROM mha_search WHERE table_name = '{}' AND query_id = 1 AND attention_type = '{}'"
    error = failure(server_options, search.format("documents", "poincare"))
    assert error.diag.message_primary == 'attention mechanism "poincare" is switched off here'
    server_options.execute("""
        CREATE TABLE large AS
        SELECT i AS id, array_fill(1::real, ARRAY[128]) AS v FROM generate_series(1, 3000) i
    """)
    error = failure(server_options, search.format("large", "cosine"))
    assert error.sqlstate == "53200"
    assert error.diag.message_primary == "the rows of large.v need more than max_memory = 1 MB"


def test_import_foreign_schema_writes_types_that_are_safe(corpus: Connection) -> None:
    corpus.execute("CREATE SCHEMA attn; CREATE TABLE unfit (v real[])")
    notices: list[str | None] = []
    corpus.add_notice_handler(lambda said: notices.append(said.message_primary))
    corpus.execute("IMPORT FOREIGN SCHEMA public LIMIT TO (corpus, unfit) FROM SERVER ruattn INTO attn")
    assert notices == ["public.unfit is not imported"]
    types = "SELECT attname, format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = %s::regclass"
    found = dict(corpus.execute(types, ["attn.corpus"]).fetchall())
    assert (found["doc"], found["query_id"], found["candidates"]) == ("uuid", "text", "attention_vector")
    query = "SELECT title FROM attn.corpus WHERE query_id = md5('3')::uuid::text AND num_heads = 1 AND k = 1"
    assert corpus.execute(query.encode()).fetchall() == [("title 3",)]


def test_import_of_a_schema_that_is_not_there_is_an_error(
    documents: Connection, failure: Callable[..., Any]
) -> None:
    error = failure(documents, "IMPORT FOREIGN SCHEMA pubic FROM SERVER ruattn INTO public")
    assert error.sqlstate == "3F000"
    assert error.diag.message_hint == 'Perhaps you meant "public".'


def test_nobody_names_folders_of_models(documents: Connection, failure: Callable[..., Any]) -> None:
    documents.execute("""
        CREATE FOREIGN TABLE reranked (id bigint, score real) SERVER ruattn OPTIONS (
            operation 'neural_rerank', table_name 'documents', query_text 'a', model 'm',
            rerank_models 'm=/etc'
        )
    """)
    error = failure(documents, "SELECT * FROM reranked")
    assert error.diag.message_primary == 'invalid option "rerank_models"'
