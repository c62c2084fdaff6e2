"""Servers for tests that crash, move or replicate them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sessions import SETTINGS

from ruattn_fdw.server.server import Server


@contextmanager
def primary_of(server: Server) -> Iterator[Server]:
    """Another server of that installation, with the extension in its template."""
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), server.installation, server.variables)
    try:
        running.start(SETTINGS)
        with psycopg.connect(running.uri("template1"), autocommit=True) as connection:
            connection.execute("CREATE TABLESPACE spare LOCATION ''")
            connection.execute("CREATE EXTENSION ruattn_fdw")
        yield running
        log = running.log.read_text(errors="replace")
        assert "PANIC" not in log
        assert "terminated by signal" not in log
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)
