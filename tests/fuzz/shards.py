"""The world on shards: further databases of the server, each with a part of the rows of every relation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ruattn_fdw.server.server import USER, Server
from tests.fuzz.world import ROLE, Relation, fill
from tests.plugins.options import has_extension
from tests.plugins.servers import TEMPLATE

Connection = psycopg.Connection[Any]
ALL = ("s1", "s2", "s3")
"""The schemas of the shards that together have all rows."""
GONE, LOST, UNTOLD, CLOSED = "gone", "lost", "untold", "closed"
"""Of servers that nothing answers, that have the tables no more, that do not say what they have, and that
only the superuser may ask."""
WITHOUT_ANSWER = (GONE, LOST, UNTOLD)
TABLES = "mha_search, attention, cross_attention"
OPTIONS = {
    "s1": "async_capable 'true'",
    "s2": "async_capable 'true', fetch_size '3'",
    "s3": "async_capable 'false'",
    **dict.fromkeys((GONE, LOST, UNTOLD, CLOSED), "async_capable 'true'"),
}
LATER = f"""
ALTER SERVER {GONE}_server OPTIONS (SET host '/nowhere');
ALTER SERVER {LOST}_server OPTIONS (SET dbname '{USER}');
ALTER SERVER {UNTOLD}_server OPTIONS (DROP extensions);
DROP USER MAPPING FOR {ROLE} SERVER {CLOSED}_server;
"""
"""What happens to shards after their tables were imported."""
PART = """
DO $do$ DECLARE relation regclass; BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'other')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format(
      'DELETE FROM ONLY %s r WHERE abs(hashtext((r.*)::text)::bigint) %% {count} <> {number}', relation);
  END LOOP;
END $do$;
REFRESH MATERIALIZED VIEW kept;
"""
"""Leaves each row to one shard, the same in every run."""
FOREIGN = [Relation(name) for name in ("s1.documents", "s2.shown", "s3.parts")]
"""Relations of shards that are read from here."""


@contextmanager
def databases(server: Server) -> Iterator[bool]:
    """The databases of the shards, for the time of a run; False where the server has no postgres_fdw."""
    if not has_extension(server.installation, "postgres_fdw"):
        yield False
        return
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        for number, name in enumerate(ALL):
            admin.execute(f"CREATE DATABASE fuzz_{name} TEMPLATE {TEMPLATE}".encode())
            with psycopg.connect(server.uri(f"fuzz_{name}"), autocommit=True) as connection:
                fill(connection, has_extension(server.installation, "vector"))
                connection.execute(PART.format(count=len(ALL), number=number).encode())
        try:
            yield True
        finally:
            for name in ALL:
                admin.execute(f"DROP DATABASE fuzz_{name} WITH (FORCE)".encode())


def declare(connection: Connection, server: Server) -> list[Relation]:
    """Bring the tables of the shards into the world; gives what more relations there are."""
    connection.execute("CREATE EXTENSION postgres_fdw")
    for name, options in OPTIONS.items():
        database = f"fuzz_{name if name in ALL else ALL[0]}"
        where = f"host '{server.socket_folder}', dbname '{database}', extensions 'ruattn_fdw', {options}"
        limit = "" if name in ALL else f" LIMIT TO ({TABLES}, documents)"
        connection.execute(
            f"CREATE SERVER {name}_server FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({where});"
            f"CREATE USER MAPPING FOR {USER} SERVER {name}_server OPTIONS (user '{USER}');"
            f"CREATE USER MAPPING FOR {ROLE} SERVER {name}_server"
            f" OPTIONS (user '{ROLE}', password_required 'false');"
            f"CREATE SCHEMA {name}; GRANT USAGE ON SCHEMA {name} TO {ROLE};"
            f"IMPORT FOREIGN SCHEMA public{limit} FROM SERVER {name}_server INTO {name};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {ROLE}".encode()
        )
    connection.execute(LATER.encode())
    return FOREIGN
