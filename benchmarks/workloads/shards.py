"""Exact top 10 of the embeddings over shards: 1, 2 and 4 servers on this machine, beside one with all rows.

A server needs postgres_fdw to ask others, which the embedded ones lack: Debian's is taken where there is one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psycopg
from bench_server import SETTINGS, Connection, Server, copy_rows, embeddings, in_blocks
from workload import OURS, Contender, Timing, Workload, measure

from ruattn_fdw.server.hostbuild import pg_setting
from ruattn_fdw.server.installation import Installation, find
from workloads.search import HEADS, K, expected_ids

COUNTS, ROUNDS = (1, 2, 4), 25
DEBIAN = Path("/usr/lib/postgresql")
SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = 'public.words' AND query = '{query}' "
    f"AND num_heads = {HEADS} AND k = {K}"
)
ONE_SERVER = "one server, no shards"


def installation() -> Installation | None:
    """The newest of Debian's servers that has postgres_fdw."""
    for pg_config in sorted(DEBIAN.glob("*/bin/pg_config"), reverse=True):
        if Path(pg_setting(pg_config, "sharedir"), "extension", "postgres_fdw.control").exists():
            return find(str(pg_config))
    return None


@contextmanager
def running(installed: Installation) -> Iterator[Server]:
    """A throw-away server."""
    server = Server(Path(tempfile.mkdtemp(prefix="ruattn-bench-")), installed)
    try:
        server.start({**SETTINGS, "shared_buffers": "256MB", "shared_preload_libraries": "ruattn_fdw"})
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.data, ignore_errors=True)


def load(server: Server, database: str, matrix: np.ndarray, first: int, step: int) -> Connection:
    """A database with every `step`-th row from `first` on in `words`, with an attention index."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}".encode())
    connection = psycopg.connect(server.uri(database), autocommit=True)
    connection.execute("CREATE EXTENSION ruattn_fdw")
    copy_rows(connection, "loaded", in_blocks(matrix[first::step]))
    numbered = f"SELECT (id - 1) * {step} + {first + 1} AS id, embedding FROM loaded"
    connection.execute(f"CREATE TABLE words AS {numbered}".encode())
    connection.execute("DROP TABLE loaded")
    connection.execute("CREATE INDEX ON words USING ruvector_attention (embedding) INCLUDE (id)")
    connection.execute("VACUUM ANALYZE words")
    return connection


def declare(asking: Connection, server: Server, database: str, schema: str) -> None:
    """The tables of a shard in a schema of the server that asks."""
    options = f"host '{server.socket_folder}', dbname '{database}'"
    for statement in (
        f"CREATE SERVER {schema} FOREIGN DATA WRAPPER postgres_fdw "
        f"OPTIONS ({options}, extensions 'ruattn_fdw', async_capable 'true')",
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER {schema} OPTIONS (user 'postgres')",
        f"CREATE SCHEMA {schema}",
        f"IMPORT FOREIGN SCHEMA public LIMIT TO (mha_search) FROM SERVER {schema} INTO {schema}",
    ):
        asking.execute(statement.encode())


def lay_out(stack: ExitStack, installed: Installation, matrix: np.ndarray) -> Connection:
    """A server that has all rows, and can ask 1, 2 or 4 others that share them."""
    asking = load(stack.enter_context(running(installed)), "whole", matrix, 0, 1)
    stack.callback(asking.close)
    asking.execute("CREATE EXTENSION postgres_fdw")
    servers = [stack.enter_context(running(installed)) for _ in range(max(COUNTS))]
    for count in COUNTS:
        for number, server in enumerate(servers[:count]):
            load(server, f"of{count}", matrix, number, count).close()
            declare(asking, server, f"of{count}", f"s{number + 1}_of_{count}")
    return asking


def searches(matrix: np.ndarray) -> dict[str, str]:
    """The statement of each contender, all for the first row's vector."""
    vector = "{" + ",".join(matrix[0].astype(str)) + "}"
    plain = SEARCH.format(query=vector)
    found = {ONE_SERVER: plain}
    for count in COUNTS:
        schemas = ", ".join(f'"s{number + 1}_of_{count}"' for number in range(count))
        found[_named(count)] = f"{plain} AND options = '{{\"shards\": [{schemas}]}}'"
    return found


def _named(count: int) -> str:
    return f"{count} shard{'s' if count > 1 else ''}"


def _run(asking: Connection, statement: str) -> list[tuple[int, float]]:
    return asking.execute(statement.encode()).fetchall()


def _check(asking: Connection, statements: dict[str, str], matrix: np.ndarray) -> None:
    whole = _run(asking, statements[ONE_SERVER])
    assert [row[0] for row in whole] == expected_ids(matrix), "the answer of one server differs from float64"
    for name, statement in statements.items():
        answer = _run(asking, statement)
        assert [row[0] for row in answer] == [row[0] for row in whole], (
            f"{name}: other rows than one server's"
        )
        scores = [[row[1] for row in rows] for rows in (answer, whole)]
        np.testing.assert_allclose(*scores, rtol=1e-6, err_msg=f"{name}: other scores than one server's")


def shards(_: Server) -> Workload:
    """The same search of shards and of one server, each server with one thread, over warm copies."""
    matrix, installed = embeddings(), installation()
    title = f"mha_search over shards, {HEADS} heads, top {K} of {len(matrix):,} x {matrix.shape[1]}"
    if installed is None:
        note = f"NOT MEASURED: no server with postgres_fdw in {DEBIAN}; apt-get install postgresql-15"
        return Workload(title, [], timings=list, notes=[note])

    opened: dict[str, tuple[Connection, str]] = {}
    contenders = [
        Contender(name, partial(_search, opened, name), base=ONE_SERVER, kind=OURS)
        for name in (*map(_named, COUNTS), ONE_SERVER)
    ]

    def timings() -> list[Timing]:
        installed.install()
        with ExitStack() as stack:
            asking = lay_out(stack, installed, matrix)
            statements = searches(matrix)
            _check(asking, statements, matrix)
            opened.update({name: (asking, statement) for name, statement in statements.items()})
            return measure(Workload("", contenders, rounds=ROUNDS, repeat=True))

    note = "all servers share this machine's cores and memory; a search of shards reads them in two rounds"
    return Workload(title, contenders, timings=timings, notes=[note])


def _search(opened: dict[str, tuple[Connection, str]], name: str) -> None:
    _run(*opened[name])
