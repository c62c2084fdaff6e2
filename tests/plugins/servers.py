"""Real servers: one for each ``--pg`` and worker, on a throw-away data folder, for the whole session."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ruattn_fdw.server.installation import Installation
from ruattn_fdw.server.server import Server
from tests.hosts import Host
from tests.plugins import sanitizing
from tests.plugins.options import HOST

# nothing here outlives the run, so nothing needs to survive a crash
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
PRELOADED = {"shared_preload_libraries": "ruattn_fdw"}
CRASH = re.compile(
    r"terminated by signal|PANIC:|server process .* exited with exit code|TRAP:|Sanitizer:|runtime error:"
)
TEMPLATE = "ruattn_template"


@contextmanager
def held(installation: Installation) -> Iterator[None]:
    """Keep other workers from what the extension has in that installation."""
    folder = os.open(installation.bindir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(installation: Installation) -> None:
    """Put the extension in; of several workers the first compiles it."""
    with held(installation):
        installation.install()


def run(server: Server, program: str, *arguments: str) -> None:
    """Run one of the server's programs, which may start servers of its own, as its account."""
    done = server.account.run(
        [server.installation.program(program), *arguments],
        cwd=server.data,
        variables=server.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def fdw_host(request: pytest.FixtureRequest) -> Host:
    """The host that the tests run on."""
    return request.config.stash[HOST]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, fdw_host: Host) -> Iterator[Server]:
    """A running server with the extension installed; its log must show no crash when the session ends."""
    installation, preloaded = request.param
    install(installation)
    variables = {**fdw_host.variables, **sanitizing.variables(request.config)}
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), installation, variables)
    try:
        running.start({**SETTINGS, **(PRELOADED if preloaded else {})})
        with psycopg.connect(running.uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}".encode())
        with psycopg.connect(running.uri(TEMPLATE), autocommit=True) as connection:
            connection.execute(fdw_host.create.encode())
        yield running
        running.stop()
        crashes = [
            line for line in running.log.read_text(errors="replace").splitlines() if CRASH.search(line)
        ]
        assert not crashes, f"{installation} crashed:\n" + "\n".join(crashes)
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)
