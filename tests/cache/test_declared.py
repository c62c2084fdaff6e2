"""What an attention index declares is the default of searches on its column."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]

SEARCH = "SELECT attention_type, num_heads FROM mha_search WHERE table_name = 'docs' AND query = '{1,0,0,0}'"


@pytest.fixture
def docs(db: Connection) -> Connection:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, vec real[])")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 5) i")
    return db


def index(db: Connection, declares: str, name: str = "") -> None:
    db.execute(f"CREATE INDEX {name} ON docs USING ruvector_attention (vec) WITH ({declares})".encode())


def in_effect(db: Connection, more: str = "") -> tuple[str, int]:
    (row,) = set(db.execute(f"{SEARCH} {more}".encode()).fetchall())
    return row


def test_without_an_index_the_defaults_hold(docs: Connection) -> None:
    with pytest.raises(psycopg.Error, match="num_heads is 8, which does not divide"):
        in_effect(docs)
    assert in_effect(docs, "AND num_heads = 2") == ("multi_head", 2)


def test_an_index_declares_mechanism_and_heads(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine', num_heads = 2, head_dim = 2")
    assert in_effect(docs) == ("cosine", 2)


def test_the_query_comes_first(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine', num_heads = 2")
    assert in_effect(docs, "AND num_heads = 4") == ("cosine", 4)
    assert in_effect(docs, "AND attention_type = 'scaled_dot'") == ("scaled_dot", 1)


def test_an_option_comes_before_the_index(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine', num_heads = 2")
    docs.execute(
        "CREATE FOREIGN TABLE own (attention_type text, num_heads int, query attention_vector) SERVER ruattn "
        "OPTIONS (operation 'mha_search', table_name 'docs', attention_type 'scaled_dot')"
    )
    rows = docs.execute("SELECT DISTINCT attention_type, num_heads FROM own WHERE query = '{1,0,0,0}'")
    assert rows.fetchall() == [("scaled_dot", 1)]


def test_the_size_of_a_head_settles_their_number(docs: Connection) -> None:
    index(docs, "head_dim = 1")
    assert in_effect(docs) == ("multi_head", 4)


def test_indexes_that_disagree_are_an_error_that_lists_them(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine', num_heads = 2", "first")
    index(docs, "attention_type = 'scaled_dot', num_heads = 4", "second")
    with pytest.raises(psycopg.Error) as caught:
        in_effect(docs)
    assert caught.value.sqlstate == "22023"
    assert "attention_type: first cosine, second scaled_dot" in str(caught.value)
    assert "Give attention_type in the query" in str(caught.value)
    assert in_effect(docs, "AND attention_type = 'cosine'") == ("cosine", 2)
    assert in_effect(docs, "AND attention_type = 'scaled_dot'") == ("scaled_dot", 4)


def test_indexes_that_agree_are_fine(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine'")
    index(docs, "num_heads = 2, attention_type = 'cosine'")
    assert in_effect(docs) == ("cosine", 2)


def test_a_mechanism_that_an_operation_does_not_take_is_left_to_the_others(docs: Connection) -> None:
    index(docs, "attention_type = 'sliding_window'")
    found = docs.execute(
        "SELECT DISTINCT attention_type FROM cross_attention "
        "WHERE query_table = 'docs' AND document_table = 'docs'"
    )
    assert found.fetchall() == [("scaled_dot",)]


def test_documents_of_cross_attention_have_their_index(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine'")
    found = docs.execute(
        "SELECT DISTINCT attention_type FROM cross_attention "
        "WHERE query_table = 'docs' AND document_table = 'docs'"
    )
    assert found.fetchall() == [("cosine",)]


def test_explain_shows_what_is_in_effect(docs: Connection) -> None:
    index(docs, "attention_type = 'cosine', num_heads = 2")
    lines = [line for (line,) in docs.execute(f"EXPLAIN {SEARCH}".encode()).fetchall()]
    assert any("Mechanism: cosine" in line for line in lines)
    assert any("num_heads = 2" in line for line in lines)


def test_a_partitioned_index_declares_too(db: Connection) -> None:
    db.execute("CREATE TABLE docs (id int, vec real[]) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE docs1 PARTITION OF docs FOR VALUES FROM (0) TO (10)")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 5) i")
    index(db, "attention_type = 'cosine', num_heads = 2")
    assert in_effect(db) == ("cosine", 2)
