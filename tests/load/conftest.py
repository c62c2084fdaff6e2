"""A server for many connections, by TCP too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ruattn_fdw.server.server import Server

SETTINGS = {
    "fsync": "off",
    "max_connections": "120",
    "max_wal_size": "4GB",
    "shared_buffers": "512MB",
    "shared_preload_libraries": "ruattn_fdw",
    # files that can be counted
    "dynamic_shared_memory_type": "mmap",
}


@pytest.fixture
def load_server(server: Server) -> Iterator[Server]:
    """A server of the test's own, with the extension, that listens on a loopback address."""
    own = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), server.installation, server.variables)
    try:
        own.start({**SETTINGS, "listen_addresses": address_of(own)})
        with own.data.joinpath("pg_hba.conf").open("a") as rules:
            rules.write("host all all 127.0.0.0/8 trust\n")
        with psycopg.connect(own.uri(), autocommit=True) as session:
            session.execute("SELECT pg_reload_conf()")
            session.execute("CREATE EXTENSION ruattn_fdw")
        yield own
        own.stop()
        log = own.log.read_text(errors="replace")
        assert "PANIC" not in log
        assert "terminated by signal" not in log
    finally:
        own.stop()
        shutil.rmtree(own.data, ignore_errors=True)


def address_of(server: Server) -> str:
    """A loopback address of this run alone, since the port is the same for all servers."""
    return f"127.{os.getpid() % 250 + 1}.{hash(server.data) % 250}.1"
