"""A server that asks and the shards that it asks, with rows laid out over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from ruattn_fdw.server.server import USER, Server

Connection = psycopg.Connection[Any]
DATABASE = "shards"
TABLES = "mha_search, attention, cross_attention"
SERVER_OPTIONS = "extensions 'ruattn_fdw', async_capable 'true'"
DOCS = "CREATE TABLE docs (id int PRIMARY KEY, embedding real[])"


@dataclass
class Cluster:
    """Connections to the database of the server that asks and, by schema, to those of its shards."""

    db: Connection
    asking: Server
    servers: Mapping[str, Server]
    shards: Mapping[str, Connection]


@contextmanager
def database(server: Server) -> Iterator[Connection]:
    """A connection to a fresh database with the extension."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}".encode())
    with psycopg.connect(server.uri(DATABASE), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION ruattn_fdw")
        yield connection
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


def set_up(asking: Server, servers: Mapping[str, Server], stack: ExitStack) -> Cluster:
    """Databases on all servers, each shard with a table `docs`, its tables imported into its schema."""
    shards = {name: stack.enter_context(database(server)) for name, server in servers.items()}
    db = stack.enter_context(database(asking))
    db.execute("CREATE EXTENSION postgres_fdw")
    for name, server in servers.items():
        shards[name].execute(DOCS)
        declare(db, name, server)
        import_tables(db, name)
    db.execute(DOCS)
    return Cluster(db, asking, servers, shards)


def declare(db: Connection, name: str, server: Server, host: str | None = None) -> None:
    """The server, the user mapping and the schema of a shard, without its tables."""
    options = f"host '{host or server.socket_folder}', dbname '{DATABASE}', {SERVER_OPTIONS}"
    db.execute(f"CREATE SERVER {name}_server FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({options})".encode())
    db.execute(f"CREATE USER MAPPING FOR {USER} SERVER {name}_server OPTIONS (user '{USER}')".encode())
    db.execute(f"CREATE SCHEMA {name}".encode())


def import_tables(db: Connection, name: str) -> None:
    """The tables of a shard into its schema."""
    limit = f"LIMIT TO ({TABLES}, docs) FROM SERVER {name}_server INTO {name}"
    db.execute(f"IMPORT FOREIGN SCHEMA public {limit}".encode())


def insert(connection: Connection, ids: Any, vectors: np.ndarray) -> None:
    """Rows of `docs`."""
    rows = [(int(row), vector.tolist()) for row, vector in zip(ids, vectors, strict=True)]
    connection.cursor().executemany("INSERT INTO docs VALUES (%s, %s::real[])", rows)


def lay_out(cluster: Cluster, vectors: np.ndarray) -> None:
    """Rows with ids from 1: all on the server that asks, the k-th on shard k modulo their number."""
    for connection in (cluster.db, *cluster.shards.values()):
        connection.execute("TRUNCATE docs")
    ids = np.arange(1, len(vectors) + 1)
    insert(cluster.db, ids, vectors)
    for number, connection in enumerate(cluster.shards.values()):
        mine = ids % len(cluster.shards) == number
        insert(connection, ids[mine], vectors[mine])


@contextmanager
def delayed(cluster: Cluster, view: str, shard: str, seconds: int) -> Iterator[None]:
    """A relation over `docs`, whose rows that shard takes so long to read, and the others no time."""
    for name, connection in cluster.shards.items():
        wait = f"pg_sleep({seconds if name == shard else 0})"
        connection.execute(
            f"CREATE VIEW {view} AS SELECT docs.* FROM docs, (SELECT {wait} OFFSET 0) w".encode()
        )
    yield
    for connection in cluster.shards.values():
        connection.execute(f"DROP VIEW {view}".encode())


def some_rows() -> np.ndarray:
    """The vectors that tests find laid out, and leave so."""
    return np.random.default_rng(11).standard_normal((90, 8)).astype(np.float32)


def literal(vector: Any) -> str:
    """A vector as SQL has it."""
    return "'{" + ",".join(map(str, np.asarray(vector).tolist())) + "}'"
