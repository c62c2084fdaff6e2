"""Real servers for the suite: one for each ``--pg``, on a throw-away data folder, for the whole session."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import Installation, find
from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]

# nothing here outlives the run, so nothing needs to survive a crash
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
CRASH = re.compile(r"terminated by signal|PANIC:|server process .* exited with exit code|TRAP:|Sanitizer")
TEMPLATE = "ruattn_template"
LOG_LINES = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ruattn")
    group.addoption(
        "--pg",
        action="append",
        metavar="PG",
        help="--pg=18 or --pg=16 (embedded) or --pg=/path/to/pg_config",
    )
    group.addoption("--host", default="bundled", metavar="HOST", help="the FDW host to test: bundled")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.host != "bundled":
        raise pytest.UsageError(f"--host={config.option.host} is not available, only --host=bundled")
    try:
        config.stash[INSTALLATIONS] = {name: find(name) for name in config.option.pg or ["18"]}
    except ServerError as error:
        raise pytest.UsageError(str(error)) from error


INSTALLATIONS = pytest.StashKey[dict[str, Installation]]()


def pytest_report_header(config: pytest.Config) -> list[str]:
    found = config.stash[INSTALLATIONS].values()
    return [f"server: {item}, {item.bindir}; host: {config.option.host}" for item in found]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        found = metafunc.config.stash[INSTALLATIONS].values()
        ids = [f"pg{item.major}" for item in found]
        metafunc.parametrize("server", list(found), ids=ids, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server is not None:
        report.sections.append((f"the end of the log of {server.installation}", server.log_tail(LOG_LINES)))
    return report


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server with the extension installed; its log must show no crash when the session ends."""
    installation: Installation = request.param
    installation.install()
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), installation)
    try:
        running.start(SETTINGS)
        with psycopg.connect(running.uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}".encode())
        with psycopg.connect(running.uri(TEMPLATE), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION ruattn_fdw")
        yield running
        running.stop()
        crashes = [
            line for line in running.log.read_text(errors="replace").splitlines() if CRASH.search(line)
        ]
        assert not crashes, f"{installation} crashed:\n" + "\n".join(crashes)
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a fresh database with the extension."""
    name = "test"
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def connect(server: Server, database: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to the fresh database, autocommit unless told otherwise, and closes them all."""
    opened: list[Connection] = []

    def open_connection(**keywords: Any) -> Connection:
        opened.append(psycopg.connect(server.uri(database), **{"autocommit": True, **keywords}))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Callable[..., Connection]) -> Connection:
    """An autocommit connection to a fresh database with the extension."""
    return connect()
