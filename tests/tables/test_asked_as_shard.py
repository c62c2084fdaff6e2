"""What a server that asks shards writes into options may be written by anybody: wrong values are errors."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from ruattn_fdw import __version__

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.bundled

SEARCHES = {
    "mha_search": "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2}' AND num_heads = 1",
    "attention": "SELECT entropy, lse FROM attention WHERE table_name = 'docs' AND query = '{1,2}'",
}


@pytest.fixture
def docs(db: Connection) -> Connection:
    """With a table of three rows."""
    db.execute("CREATE TABLE docs AS SELECT i AS id, ARRAY[i, 1]::real[] AS v FROM generate_series(1, 3) i")
    return db


def asked(search: str, **said: object) -> str:
    """A search as another server asks it."""
    options = json.dumps({"shard": {"name": "s1", "version": __version__, **said}})
    return f"{SEARCHES[search]} AND options = '{options}'"


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("normaliser", ["x", 1, {}, [[1]], [None], ["x"], [10**400], [1, [2]], []])
def test_normalisers_that_are_no_numbers(docs: Connection, search: str, normaliser: object) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="normaliser"):
        docs.execute(asked(search, normaliser=normaliser).encode())


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("queries", [0, -1, True, 1.5, "x", [], 3, 2**70])
def test_numbers_of_queries_that_are_none(docs: Connection, search: str, queries: object) -> None:
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match="Give shards instead, which asks as it must"
    ):
        docs.execute(asked(search, queries=queries).encode())


@pytest.mark.parametrize("heads", [0, True, "x", 1.5])
def test_numbers_of_heads_that_are_none(docs: Connection, heads: object) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="says heads"):
        docs.execute(asked("mha_search", heads=heads).encode())


def test_a_normaliser_of_other_heads(docs: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="normaliser"):
        docs.execute(asked("attention", normaliser=[1, 2]).encode())


def test_a_normaliser_of_other_queries(docs: Connection) -> None:
    search = asked("attention", normaliser=[9.5]).replace("query = '{1,2}'", "query_table = 'docs'")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="normaliser has 1 values for 3 queries"):
        docs.execute(search.encode())


@pytest.mark.parametrize("search", SEARCHES)
def test_one_query_asked_as_a_block(docs: Connection, search: str) -> None:
    assert docs.execute(asked(search, queries=1).encode()).fetchall()
