"""The database that a command is about: one that is named, else one of the embedded server."""

from __future__ import annotations

import argparse
import os
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ruattn_fdw.cli.servers import chosen
from ruattn_fdw.server.errors import ServerError

ELSEWHERE = ("PGHOST", "PGHOSTADDR", "PGSERVICE")
"""Variables that say where the server is."""

SCHEMA = """
SELECT n.nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'ruattn_fdw'
"""
# first, so that no table of another schema is taken for one of the extension's
ADD_SCHEMA = """
SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(%(schema)s)
                             || CASE setting WHEN '' THEN '' ELSE ', ' || setting END, false)
FROM   pg_catalog.pg_settings
WHERE  name = 'search_path' AND %(schema)s::name <> ALL (pg_catalog.current_schemas(true))
"""


def conninfo_of(options: argparse.Namespace) -> str:
    """What to connect to."""
    conninfo = options.uri
    if conninfo is None and not any(os.environ.get(name) for name in ELSEWHERE):
        server = chosen(options)
        if not server.running():
            raise ServerError(
                f"no server runs on {server.data}, and neither --uri nor PGHOST names another",
                "ruattn server start",
            )
        conninfo = server.uri()
    given = {} if options.database is None else {"dbname": options.database}
    return make_conninfo(conninfo or "", **given)


def connect(options: argparse.Namespace) -> psycopg.Connection[Any]:
    """To the database that the options name, else the environment, else to the embedded server."""
    return psycopg.connect(conninfo_of(options), autocommit=True)


def connect_to_read(conninfo: str, role: str | None = None) -> psycopg.Connection[Any]:
    """A session that cannot write, as ``role`` if given, and that finds the extension's tables by name."""
    connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    try:
        connection.execute("SET default_transaction_read_only = on")
        if role is not None:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        connection.execute(ADD_SCHEMA, {"schema": extension_schema(connection)})
    except Exception:
        connection.close()
        raise
    return connection


def extension_schema(connection: psycopg.Connection[Any]) -> str:
    """The schema that the extension's tables are in."""
    found = connection.execute(SCHEMA).fetchone()
    if found is None:
        where = f'the database "{connection.info.dbname}"'
        raise ServerError(f"{where} has no extension ruattn_fdw; name another with --database")
    return str(found[0])
