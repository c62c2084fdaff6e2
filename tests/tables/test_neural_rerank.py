"""Reranking by a learned model: order, what it reads, what it refuses. Skipped without the extra `rerank`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import Diagnostic

from ruattn_fdw.server.server import Server

pytest.importorskip("onnxruntime", reason="the extra rerank is not installed")
pytest.importorskip("tokenizers", reason="the extra rerank is not installed")

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

ARTICLES = """
CREATE TABLE articles (id integer PRIMARY KEY, body text);
INSERT INTO articles VALUES
  (1, 'a tool with a flat blade and a handle'), (2, 'a bird of prey with long legs'), (3, NULL),
  (4, 'any drug that destroys bacteria'), (5, 'a small bird'), (6, 'a tool with a flat blade and a handle');
"""
QUERY = "table_name = 'articles' AND query_text = 'bird of prey'"


@pytest.fixture(scope="module")
def session(server: Server, rerank_setting: str) -> Iterator[Connection]:
    """A superuser's session in a database with `articles`, where the models of the tests are offered."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE articles TEMPLATE ruattn_template")
        with psycopg.connect(server.uri("articles"), autocommit=True, prepare_threshold=None) as connection:
            connection.execute(ARTICLES)
            connection.execute(f"SET ruattn_fdw.rerank_models = '{rerank_setting}'".encode())
            yield connection
        admin.execute("DROP DATABASE articles WITH (FORCE)")


@pytest.fixture
def articles(session: Connection) -> Iterator[Connection]:
    """That session, in a transaction that is rolled back."""
    with session.transaction(force_rollback=True):
        yield session


@pytest.fixture
def rerank(articles: Connection) -> Callable[..., Rows]:
    """The rows of neural_rerank under these clauses."""

    def run(clauses: str = "model = 'overlap'", wanted: str = "id", query: str = QUERY) -> Rows:
        return articles.execute(
            f"SELECT {wanted} FROM neural_rerank WHERE {query} AND {clauses}".encode()
        ).fetchall()

    return run


@pytest.fixture
def refused(rerank: Callable[..., Rows], articles: Connection) -> Callable[..., Diagnostic]:
    """What the server says of clauses that it refuses; the transaction goes on."""

    def run(clauses: str, query: str = QUERY) -> Diagnostic:
        with pytest.raises(psycopg.Error) as caught, articles.transaction():
            rerank(clauses, query=query)
        return caught.value.diag

    return run


def node(session: Connection, clauses: str) -> dict[str, Any]:
    """The scan's node of EXPLAIN ANALYZE."""
    statement = f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM neural_rerank WHERE {QUERY} AND {clauses}"
    plan: dict[str, Any] = session.execute(statement.encode()).fetchall()[0][0][0]["Plan"]
    return plan


def test_rows_come_by_relevance_and_then_by_id(rerank: Callable[..., Rows]) -> None:
    rows = rerank(wanted="id, rank, score, text_column, model")
    assert [row[0] for row in rows] == [2, 5, 4, 1, 6]
    assert [row[1] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[3][2] == rows[4][2]
    assert rows[0][2] > 1 > rows[1][2]
    assert {row[3:] for row in rows} == {("body", "overlap")}


def test_k_and_candidates(rerank: Callable[..., Rows]) -> None:
    assert rerank("model = 'overlap' AND k = 2") == [(2,), (5,)]
    assert rerank("model = 'overlap' AND candidates = '{1,5,99}'") == [(5,), (1,)]
    assert rerank("model = 'overlap' AND candidates = '{}'") == []


def test_a_score_does_not_depend_on_the_rows_beside_it(rerank: Callable[..., Rows]) -> None:
    alone = rerank("model = 'overlap' AND candidates = '{5}'", "score")
    assert rerank("model = 'overlap'", "score")[1] == alone[0]


def test_the_sigmoid_keeps_the_order(rerank: Callable[..., Rows]) -> None:
    rows = rerank("model = 'overlap' AND options = '{\"activation\": \"sigmoid\"}'", "id, score")
    assert [row[0] for row in rows] == [2, 5, 4, 1, 6]
    assert all(0 < row[1] < 1 for row in rows)


def test_texts_are_cut_at_max_length_and_counted(articles: Connection, rerank: Callable[..., Rows]) -> None:
    short = "model = 'overlap' AND options = '{\"max_length\": 8}'"
    assert node(articles, short)["Texts Cut"] == 5
    assert node(articles, "model = 'overlap'")["Texts Cut"] == 0
    assert rerank(short, "score") != rerank("model = 'overlap'", "score")


def test_a_model_that_embeds_texts_scores_by_cosines(
    articles: Connection, rerank: Callable[..., Rows]
) -> None:
    articles.execute("UPDATE articles SET body = 'bird of prey' WHERE id = 4")
    rows = rerank("model = 'tokens'", "id, score")
    assert dict(rows)[4] == pytest.approx(1)
    assert [score for _, score in rows] == sorted((score for _, score in rows), reverse=True)
    assert all(0 < score < 1.000001 for _, score in rows)
    assert node(articles, "model = 'tokens'")["Model Kind"] == "sentence encoder, mean of the tokens"


def test_its_searches_count_without_a_mechanism(articles: Connection, rerank: Callable[..., Rows]) -> None:
    rerank("model = 'overlap' AND candidates = '{1,5}'")
    counted = "SELECT attention_type, calls > 0, rows_scored > 1 FROM attention_stats WHERE operation = %s"
    assert articles.execute(counted.encode(), ["neural_rerank"]).fetchall() == [(None, True, True)]


def test_it_is_joined_and_run_for_each_query(articles: Connection) -> None:
    rows = articles.execute(
        "SELECT q, s.id FROM (VALUES ('a drug'), ('flat blade')) v (q), LATERAL (SELECT id FROM neural_rerank"
        " WHERE table_name = 'articles' AND query_text = q AND model = 'overlap' AND k = 1) s"
    ).fetchall()
    assert rows == [("a drug", 4), ("flat blade", 1)]


def test_explain_says_what_was_done(articles: Connection, rerank: Callable[..., Rows]) -> None:
    rerank("model = 'overlap'")
    plan = node(articles, "model = 'overlap'")
    assert plan["Model"] == "overlap"
    assert plan["Source"] == "public.articles (id, body)"
    assert (plan["Rows Read"], plan["NULL Texts Skipped"]) == (5, 1)
    assert (plan["Model Kind"], plan["Model Use"]) == ("cross-encoder", "kept")


def test_ids_of_other_types_in_a_users_own_table(articles: Connection) -> None:
    articles.execute("CREATE TABLE parts AS SELECT chr(70 - id) AS part, body FROM articles")
    articles.execute(
        "CREATE FOREIGN TABLE own (part text, body text, score real, query_text text) SERVER ruattn OPTIONS"
        " (operation 'neural_rerank', table_name 'parts', id_column 'part', text_column 'body',"
        " model 'overlap', k '2')"
    )
    found = articles.execute("SELECT part, body FROM own WHERE query_text = 'flat blade'").fetchall()
    assert found == [
        ("@", "a tool with a flat blade and a handle"),
        ("E", "a tool with a flat blade and a handle"),
    ]


def test_import_foreign_schema_takes_tables_with_texts(articles: Connection) -> None:
    articles.execute("CREATE SCHEMA own")
    articles.execute(
        "IMPORT FOREIGN SCHEMA public FROM SERVER ruattn INTO own"
        " OPTIONS (operation 'neural_rerank', model 'overlap')"
    )
    query = "SELECT body FROM own.articles WHERE query_text = 'bacteria' AND k = 1"
    assert articles.execute(query.encode()).fetchall() == [("any drug that destroys bacteria",)]


def test_roles_see_what_they_may_read(articles: Connection, refused: Callable[..., Diagnostic]) -> None:
    articles.execute("CREATE ROLE ruattn_reader; SET ROLE ruattn_reader")
    assert refused("model = 'overlap'").sqlstate == "42501"
    articles.execute("RESET ROLE; GRANT SELECT ON articles TO ruattn_reader")
    articles.execute("ALTER TABLE articles ENABLE ROW LEVEL SECURITY")
    articles.execute("CREATE POLICY p ON articles USING (id < 5); SET ROLE ruattn_reader")
    query = f"SELECT id FROM neural_rerank WHERE {QUERY} AND model = 'overlap'"
    assert articles.execute(query.encode()).fetchall() == [(2,), (4,), (1,)]


def test_a_changed_model_is_loaded_anew(articles: Connection, rerank_models: Path, tmp_path: Path) -> None:
    folder = rerank_models / "changing"
    shutil.copytree(rerank_models / "overlap", folder)
    try:
        articles.execute(f"SET LOCAL ruattn_fdw.rerank_models = 'changing={folder}'".encode())
        uses = [node(articles, "model = 'changing'")["Model Use"] for _ in range(2)]
        os.utime(folder / "tokenizer.json", (1, 1))
        uses.append(node(articles, "model = 'changing'")["Model Use"])
        (folder / "modules.json").write_text("[]")
        uses.append(node(articles, "model = 'changing'")["Model Use"])
        assert uses == ["loaded", "kept", "loaded", "loaded"]
    finally:
        shutil.rmtree(folder)


def test_an_unknown_model_is_refused_with_those_that_are_offered(refused: Callable[..., Diagnostic]) -> None:
    error = refused("model = 'overlapp'")
    assert (error.sqlstate, error.message_primary) == ("42704", 'there is no model "overlapp"')
    assert (error.message_hint or "").startswith('Perhaps you meant "overlap". Valid models: labels, ')


def test_a_path_is_no_model(refused: Callable[..., Diagnostic], rerank_models: Path) -> None:
    assert refused(f"model = '{rerank_models}/overlap'").sqlstate == "42704"


def test_nothing_is_offered_by_default(articles: Connection, refused: Callable[..., Diagnostic]) -> None:
    articles.execute("SET LOCAL ruattn_fdw.rerank_models = ''")
    error = refused("model = 'overlap'")
    assert error.sqlstate == "42704"
    assert error.message_hint == "An administrator lists models in ruattn_fdw.rerank_models."


@pytest.mark.parametrize(
    ("model", "sqlstate", "message"),
    [
        ("two", "0A000", 'model "two" gives 2 numbers for each pair, not one'),
        ("pixels", "0A000", 'model "pixels" takes pixels'),
        ("not_a_number", "22000", "articles.body of id 1 gets the score nan"),
    ],
)
def test_a_model_that_is_no_reranker(
    articles: Connection, refused: Callable[..., Diagnostic], model: str, sqlstate: str, message: str
) -> None:
    articles.execute("UPDATE articles SET body = body || repeat(' blade', 20) WHERE id = 1")
    error = refused(f"model = '{model}'")
    assert (error.sqlstate, error.message_primary) == (sqlstate, message)
    assert error.message_hint


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_files_that_are_damaged_or_missing(
    articles: Connection, refused: Callable[..., Diagnostic], rerank_models: Path, file: str
) -> None:
    folder = rerank_models / "harmed"
    shutil.copytree(rerank_models / "overlap", folder)
    try:
        articles.execute(f"SET LOCAL ruattn_fdw.rerank_models = 'harmed={folder}'".encode())
        (folder / file).write_bytes(b"no model")
        error = refused("model = 'harmed'")
        assert error.sqlstate == "0A000"
        assert (error.message_primary or "").startswith('model "harmed" cannot be loaded: ')
        assert str(folder) not in (error.message_primary or "")
        (folder / file).unlink()
        error = refused("model = 'harmed'")
        assert error.sqlstate == "F0000"
        assert error.message_primary == f'cannot read model "harmed": {file}: No such file or directory'
    finally:
        shutil.rmtree(folder)


def test_weights_beyond_max_memory(
    articles: Connection, refused: Callable[..., Diagnostic], rerank_models: Path
) -> None:
    folder = rerank_models / "large"
    shutil.copytree(rerank_models / "overlap", folder)
    try:
        os.truncate(folder / "model.onnx", 3 * 1024 * 1024)
        articles.execute("SET LOCAL ruattn_fdw.max_memory = '2MB'")
        articles.execute(f"SET LOCAL ruattn_fdw.rerank_models = 'large={folder}'".encode())
        error = refused("model = 'large'")
        assert error.sqlstate == "53200"
        assert error.message_primary == (
            'the files of model "large" need 3 MB, ruattn_fdw.max_memory is 2 MB'
        )
    finally:
        shutil.rmtree(folder)


def test_texts_beyond_max_memory(articles: Connection, refused: Callable[..., Diagnostic]) -> None:
    articles.execute("SET LOCAL ruattn_fdw.max_memory = '1MB'")
    articles.execute("UPDATE articles SET body = repeat(body || ' ', 10000)")
    assert refused("model = 'overlap'").sqlstate == "53200"


@pytest.mark.parametrize(
    ("table", "clauses", "message", "hint"),
    [
        ("two_texts", "", "two_texts has 2 text columns: title, body", "text_column = 'title'"),
        ("no_texts", "", "no_texts has no column of a text type", "a view"),
        (
            "two_texts",
            "text_column = 'id' AND",
            "two_texts.id has type integer, no text type",
            "Valid text columns: title, body",
        ),
        (
            "two_texts",
            "text_column = 'titel' AND",
            'column "titel" of relation "two_texts" does not exist',
            'Perhaps you meant "title"',
        ),
        ("articles", "options = '{\"length\": 3}' AND", "neural_rerank has no option 'length'", "max_length"),
        (
            "articles",
            "options = '{\"max_length\": 3}' AND",
            "max_length is 3, it must lie in [8, 32768]",
            "derived from the data",
        ),
    ],
)
def test_what_is_missing_is_named(
    articles: Connection,
    refused: Callable[..., Diagnostic],
    table: str,
    clauses: str,
    message: str,
    hint: str,
) -> None:
    articles.execute("CREATE TABLE two_texts (id int, title text, body text); CREATE TABLE no_texts (id int)")
    error = refused("model = 'overlap'", f"table_name = '{table}' AND {clauses} query_text = 'x'")
    assert (error.message_primary or "") == message
    assert hint in (error.message_hint or "")
    assert error.sqlstate != "XX000"
