"""Three shards, each a throw-away server of its own, beside the session's server, which asks them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.shards.cluster import Cluster, lay_out, set_up, some_rows

Connection = psycopg.Connection[Any]
NAMES = ("s1", "s2", "s3")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A further server of the same installation."""
    another = Server(Path(tempfile.mkdtemp(prefix="ruattn-shard-")), server.installation, server.variables)
    try:
        another.start({"fsync": "off", "shared_preload_libraries": "ruattn_fdw"})
        yield another
    finally:
        another.stop()
        shutil.rmtree(another.data, ignore_errors=True)


@pytest.fixture(scope="session")
def shard_servers(server: Server, postgres_fdw: None) -> Iterator[dict[str, Server]]:
    """The shards by the schema that each is imported into."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(server)) for name in NAMES}


@pytest.fixture(scope="module")
def cluster(server: Server, shard_servers: dict[str, Server]) -> Iterator[Cluster]:
    """Databases `shards` on all servers: `public.docs` over the shards, and whole on the server that asks."""
    with ExitStack() as stack:
        made = set_up(server, shard_servers, stack)
        lay_out(made, some_rows())
        yield made


@pytest.fixture
def asks(cluster: Cluster) -> Callable[..., list[Any]]:
    """Rows of a query on the server that asks."""

    def run(statement: str, *values: Any) -> list[Any]:
        return cluster.db.execute(statement.encode(), values or None).fetchall()

    return run
