"""Random queries over all tables and functions: no crash, no internal error, no wrong empty answer."""

from collections.abc import Iterator
from random import SystemRandom
from typing import Any

import psycopg
import pytest
from psycopg.types.string import TextLoader

from ruattn_fdw.server.server import Server
from tests.fuzz import shards, world
from tests.fuzz.functions import Calls, functions
from tests.fuzz.grammar import Grammar
from tests.fuzz.runner import Connect, Runner
from tests.plugins.options import has_extension

SHORT = 400
MOST = 20
"""Kinds of failures after which a run ends."""
SETTINGS = "SET statement_timeout = '60s'; SET client_min_messages = error"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Which queries are made: given, or others in every run."""
    given = request.config.option.fuzz_seed
    return int(given) if given is not None else SystemRandom().randrange(2**31)


@pytest.fixture
def open_session(server: Server, database: str, rerank_setting: str) -> Iterator[Connect]:
    opened = []

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(server.uri(database), autocommit=True, prepare_threshold=None)
        # times come in any DateStyle
        connection.adapters.register_loader("timestamptz", TextLoader)
        connection.execute(
            f"{SETTINGS}; LOAD 'ruattn_fdw'; SET ruattn_fdw.rerank_models = '{rerank_setting}'".encode()
        )
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def fuzz(server: Server, open_session: Connect, seed: int, count: int) -> None:
    """Run so many queries of the seed; fails with the smallest query of each kind that fails."""
    session, other = open_session(), open_session()
    relations = world.make(session, other, has_extension(server.installation, "vector"))
    with shards.databases(server) as found:
        relations += shards.declare(session, server) if found else []
        grammar, runner = Grammar(relations, shards=found), Runner(open_session)
        failures = runner.run(grammar, Calls(functions(session), relations), seed, count, MOST)
    of_what = "with shards" if found else "without shards, for lack of postgres_fdw"
    print(f"seed {seed}, {of_what}: {dict(sorted(runner.counts.items()))}")
    assert not failures, f"seed {seed}:\n" + "\n".join(failures)
    assert runner.counts["rows"] > count / 8, runner.counts


def test_some_queries(server: Server, open_session: Connect, seed: int) -> None:
    fuzz(server, open_session, seed, SHORT)


@pytest.mark.long
def test_many_queries(
    server: Server, open_session: Connect, seed: int, request: pytest.FixtureRequest
) -> None:
    fuzz(server, open_session, seed, request.config.option.fuzz_queries)
