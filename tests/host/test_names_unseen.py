"""No message, hint or plan names what a role may not read."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

Connect = Callable[..., Connection[Any]]
Failure = Callable[..., psycopg.Error]

TABLES = """
CREATE TABLE canary_table (id int PRIMARY KEY, canary_vector real[], canary_text text, canary_end int);
CREATE TABLE partly (id int PRIMARY KEY, embedding real[], title text, source int, target int, happened int,
                     canary_vector real[], canary_text text, canary_number int);
INSERT INTO partly
SELECT i, ARRAY[i, 1], 'title ' || i, i, i, i, ARRAY[1, i], 'text', 1 FROM generate_series(1, 3) i;
CREATE ROLE ruattn_reader LOGIN;
GRANT SELECT (id, embedding, title, source, target, happened) ON partly TO ruattn_reader
"""
SEARCH = "SELECT id FROM mha_search WHERE query = '{1,0}' AND num_heads = 1 AND table_name = "
EVERYWHERE = (
    SEARCH + "'canary_table' AND vector_column = 'canary_vector'",
    "SELECT FROM attention WHERE table_name = 'canary_table' AND query = '{1,0}'",
    "SELECT FROM cross_attention WHERE query_table = 'canary_table' AND document_table = 'partly'",
    "SELECT FROM cross_attention WHERE query_table = 'partly' AND document_table = 'canary_table'",
    "SELECT FROM sliding_attention WHERE table_name = 'canary_table' AND order_column = 'id'",
    "SELECT FROM gat_search WHERE node_table = 'canary_table' AND edge_table = 'partly'"
    " AND query_node_id = 1",
    "SELECT FROM gat_search WHERE node_table = 'partly' AND edge_table = 'canary_table' AND query_node_id = 1"
    " AND source_column = 'id' AND target_column = 'canary_end'",
    "SELECT FROM moe_route WHERE table_name = 'canary_table'",
)
OF_PARTLY = (
    SEARCH + "'partly' AND vector_column = 'canary'",
    SEARCH + "'partly' AND vector_column = 'title'",
    SEARCH + "'partly' AND id_column = 'canary'",
    SEARCH + "'partly' AND attention_type = 'rope' AND order_column = 'canary'",
    "SELECT FROM attention WHERE table_name = 'partly' AND query = '{1,0}' AND value_column = 'canary'",
    "SELECT FROM gat_search WHERE node_table = 'partly' AND edge_table = 'partly' AND query_node_id = 1"
    " AND source_column = 'canary'",
    "SELECT FROM gat_search WHERE node_table = 'partly' AND edge_table = 'partly' AND query_node_id = 1"
    " AND attention_type = 'edge_featured_gat' AND options = '{\"edge_column\": \"canary\"}'",
)


@pytest.fixture
def reader(db: Connection[Any], connect: Connect) -> Iterator[Connection[Any]]:
    """A session of a role that may read some columns of one of two tables."""
    db.execute(TABLES)
    session = connect(user="ruattn_reader")
    yield session
    session.close()
    db.execute("DROP OWNED BY ruattn_reader; DROP ROLE ruattn_reader")


def said(error: psycopg.Error) -> str:
    """All of a message but what it quotes of the statement."""
    diag = error.diag
    return " ".join(text or "" for text in (diag.message_primary, diag.message_detail, diag.message_hint))


def test_a_relation_is_no_hint_to_who_may_not_read_it(reader: Connection[Any], failure: Failure) -> None:
    error = failure(reader, SEARCH + "'canary_tabel'")
    assert error.sqlstate == "42P01"
    assert "canary_table" not in said(error)
    assert 'Perhaps you meant "partly".' in said(failure(reader, SEARCH + "'party'"))


def test_a_relation_is_refused_before_anything_is_said_of_it(
    reader: Connection[Any], failure: Failure
) -> None:
    for statement in EVERYWHERE:
        for run in (statement, f"EXPLAIN {statement}", statement.replace("canary_vector", "canary")):
            error = failure(reader, run)
            assert (error.sqlstate, said(error).strip()) == (
                "42501",
                "permission denied for table canary_table",
            ), run


def test_columns_are_no_hints_to_who_may_not_read_them(reader: Connection[Any], failure: Failure) -> None:
    for statement in OF_PARTLY:
        error = failure(reader, statement)
        assert error.sqlstate in ("42703", "22023"), statement
        for column in ("canary_vector", "canary_text", "canary_number"):
            assert column not in said(error), statement


def test_the_only_column_is_the_only_one_that_may_be_read(reader: Connection[Any], failure: Failure) -> None:
    assert reader.execute((SEARCH + "'partly'").encode()).rowcount == 3
    error = failure(reader, SEARCH + "'partly' AND vector_column = 'canary_vector'")
    assert error.sqlstate == "42501"
