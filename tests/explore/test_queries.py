from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.explore.server import PageServer
from ruattn_fdw.server.server import Server

Ask = Callable[..., tuple[int, dict[str, Any]]]
ODD = '"Odd ""name"".%s"'
ODD_TITLE = "the '100%' title"
FIRST = 9007199254740993


@pytest.fixture(scope="module")
def db(explored: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(explored, autocommit=True) as connection:
        yield connection


def test_the_catalogue_has_what_can_be_searched(page: PageServer, ask: Ask) -> None:
    _, catalogue = ask(page, "catalogue")
    assert [relation["name"] for relation in catalogue["relations"]] == [ODD, "documents", "parted", "secret"]
    documents = catalogue["relations"][1]
    assert (documents["id_column"], documents["texts"]) == ("id", ["title"])
    assert "multi_head" in [mechanism["name"] for mechanism in catalogue["mechanisms"]]
    assert "temperature" in [parameter["name"] for parameter in catalogue["parameters"]]


def test_a_search_gives_rows_plan_and_the_sql_that_gives_them_again(
    page: PageServer, ask: Ask, db: psycopg.Connection[Any]
) -> None:
    values = {
        "table_name": "documents",
        "query_id": str(FIRST),
        "num_heads": "4",
        "k": "3",
        "temperature": "0.5",
    }
    status, answer = ask(page, "search", values=values, label="title")
    assert status == 200, answer
    assert answer["rows"][0]["id"] == str(FIRST)
    assert answer["rows"][0]["label"] == '<b>one</b> & "all" 100%_'
    assert [len(row["head_scores"]) for row in answer["rows"]] == [4, 4, 4]
    assert "Mechanism: multi_head" in answer["explain"]
    assert "Kernel Time" in answer["explain"]
    assert "s.num_heads = 4\n" in answer["sql"]
    again = db.execute(answer["sql"].encode()).fetchall()
    keys = ("rank", "id", "score", "logit", "head_scores", "label")
    assert [(row[0], str(row[1]), *row[2:]) for row in again] == [
        tuple(row[key] for key in keys) for row in answer["rows"]
    ]


def test_names_with_every_kind_of_quote_are_searched(
    page: PageServer, ask: Ask, db: psycopg.Connection[Any]
) -> None:
    values = {"table_name": ODD, "query": "[1, 0]", "num_heads": "1"}
    status, answer = ask(page, "search", values=values, label=ODD_TITLE)
    assert status == 200, answer
    assert [row["label"] for row in answer["rows"]] == ["row 3", "row 2", "row 1"]
    assert len(db.execute(answer["sql"].encode()).fetchall()) == 3
    _, found = ask(page, "rows", table_name=ODD, label=ODD_TITLE, text="ROW 2")
    assert found["rows"] == [{"id": "2", "label": "row 2"}]


@pytest.mark.parametrize(
    ("text", "labels"),
    [("%_", ['<b>one</b> & "all" 100%_']), (str(FIRST + 1), ["document 2"]), ("owl", [])],
)
def test_rows_are_found_by_text_as_it_stands_or_by_id(
    page: PageServer, ask: Ask, text: str, labels: list[str]
) -> None:
    _, found = ask(page, "rows", table_name="documents", label="title", text=text)
    assert [row["label"] for row in found["rows"]] == labels


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"table_name": "document", "query": "[1]"}, 'relation "document" does not exist', "documents"),
        (
            {"table_name": "documents", "query": "[1]; DROP TABLE plain"},
            "invalid input syntax for type attention_vector",
            None,
        ),
        ({"table_name": "documents; --", "query": "[1]"}, "invalid", None),
        ({"table_name": "documents", "query_id": "one"}, "invalid input syntax for type bigint", None),
        (
            {"table_name": "documents", "query_id": "1", "k": "201"},
            "the page shows 200 rows, k is 201",
            "SQL",
        ),
        ({"table_name": "documents", "querry": "[1]"}, 'mha_search has no parameter "querry"', '"query"'),
        ({"table_name": "documents"}, 'mha_search needs a value for its parameter "query"', "For example"),
    ],
    ids=["relation", "vector", "name", "id", "k", "parameter", "query"],
)
def test_an_error_is_said_with_its_hint(
    page: PageServer, ask: Ask, values: dict[str, str], message: str, hint: str | None
) -> None:
    status, answer = ask(page, "search", values=values)
    assert status == 400
    assert message in answer["message"]
    assert hint is None or hint in answer["hint"]


def test_where_the_extension_is_not_on_the_path_the_sql_puts_it_there(
    database: str, server: Server, serve: Callable[..., PageServer], ask: Ask
) -> None:
    with psycopg.connect(server.uri(database), autocommit=True) as db:
        db.execute("DROP EXTENSION ruattn_fdw; CREATE SCHEMA elsewhere")
        db.execute("CREATE EXTENSION ruattn_fdw SCHEMA elsewhere")
        db.execute("CREATE TABLE points AS SELECT 1 AS id, '{1,2}'::real[] AS embedding")
        values = {"table_name": "points", "query_id": "1", "num_heads": "1"}
        _, answer = ask(serve(uri=server.uri(database)), "search", values=values)
        assert answer["sql"].startswith('SET search_path = elsewhere, "$user", public;\n')
        cursor = db.execute(answer["sql"].encode())
        assert cursor.nextset()
        assert cursor.rowcount == 1
