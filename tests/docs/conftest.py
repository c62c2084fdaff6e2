"""The demo's data in the database of each test: loaded once, then copied as the files that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.cli.demo import DATABASE
from ruattn_fdw.cli.sample import load_sample, read_sample
from ruattn_fdw.server.server import Server
from tests.docs.shell import Shell
from tests.plugins.servers import TEMPLATE

Connection = psycopg.Connection[Any]
SAMPLE = "ruattn_sample"


@pytest.fixture(scope="session")
def sample(server: Server) -> str:
    """The name of a database with the extension and the demo's data, for others to be copied from."""
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {SAMPLE} TEMPLATE {TEMPLATE}".encode())
    with psycopg.connect(server.uri(SAMPLE), autocommit=True) as connection:
        load_sample(connection, read_sample(), lambda: None)
    return SAMPLE


@pytest.fixture
def database(server: Server, sample: str, drop_database: Callable[[Connection, str], None]) -> Iterator[str]:
    """The name of a fresh database with the extension and the demo's data, named as the demo's own."""
    name = DATABASE
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {sample}".encode())
        yield name
        drop_database(connection, name)


@pytest.fixture
def db(connect: Callable[..., Connection], rerank_setting: str) -> Connection:
    """An autocommit connection to that database, where models are offered."""
    connection = connect()
    connection.execute(f"SET ruattn_fdw.rerank_models = '{rerank_setting}'".encode())
    return connection


@pytest.fixture
def shell(
    db: Connection, server: Server, rerank_models: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Shell]:
    """Runs the shell lines of a page, on that database; what they set for the server does not last."""
    parse = request.config._parser.parse_known_and_unknown_args
    yield Shell(tmp_path, server, db.info.dbname, rerank_models, parse)
    db.execute("LOAD 'ruattn_fdw'")
    db.execute("ALTER SYSTEM RESET ruattn_fdw.rerank_models")
    db.execute("SELECT pg_reload_conf()")
