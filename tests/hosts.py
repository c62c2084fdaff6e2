"""The hosts that the suite runs on: what each needs, and where they differ."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import DiagnosticField, TransactionStatus

BUNDLED_FOLDERS = (
    "benchmarks", "cache", "container", "docs", "explore", "freshness", "fuzz", "host", "index", "load",
    "models", "plots", "server", "shards",
)  # fmt: skip
"""Folders of tests about the bundled host alone."""

INTERNAL_ERROR = b"XX000"
CONDITION = re.compile(rb"Condition: (\w+)\. ?")


@dataclass(frozen=True)
class Host:
    """A host: the extension that brings the tables to it, and the settings and variables of its servers."""

    name: str
    extension: str
    requires: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def create(self) -> str:
        """The statement that makes the extension."""
        return f"CREATE EXTENSION {self.extension} CASCADE"


BUNDLED = Host("bundled", "ruattn_fdw")
MULTICORN = Host(
    "multicorn",
    "ruattn_fdw_multicorn",
    requires="multicorn",
    variables={"PYTHONPATH": sysconfig.get_path("purelib")},
)
HOSTS = {host.name: host for host in (BUNDLED, MULTICORN)}


class Committing(psycopg.Connection[Any]):
    """A connection without a transaction around a test: what the test sets holds until `empty`."""

    def execute(self, query: Any, *arguments: Any, **keywords: Any) -> psycopg.Cursor[Any]:
        """Run a statement; SET LOCAL as SET."""
        if isinstance(query, str | bytes):
            local = "SET LOCAL " if isinstance(query, str) else b"SET LOCAL "
            query = query.replace(local, local[:4])  # type: ignore[arg-type]
        return super().execute(query, *arguments, **keywords)


def empty(connection: psycopg.Connection[Any]) -> None:
    """Take all out of a database but the extension, and all settings out of the session."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        connection.rollback()
    connection.execute(RESET)
    for (statement,) in connection.execute(LEFT).fetchall():
        # what another of the statements has dropped already is gone
        connection.execute(statement.encode())
    connection.execute(f"CREATE EXTENSION IF NOT EXISTS {MULTICORN.extension} CASCADE".encode())


RESET = """
RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; CLOSE ALL; DISCARD TEMP
"""

# what is no part of the system or of an extension
LEFT = """
WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
own AS (SELECT oid, nspname FROM pg_namespace n WHERE nspname !~ '^(pg_|information_schema$)'
        AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_namespace'::regclass AND objid = n.oid))
SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension
WHERE extname NOT IN ('plpgsql', 'multicorn', 'ruattn_fdw_multicorn')
UNION ALL SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM own WHERE nspname <> 'public'
UNION ALL
SELECT format('DROP %s IF EXISTS %s CASCADE',
              CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, c.oid::regclass)
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                  AND (deptype = 'e' OR deptype IN ('a', 'i') AND relkind = 'S'))
UNION ALL
SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e', 'r')
UNION ALL
SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure) FROM pg_proc p
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
UNION ALL
SELECT format('DROP USER MAPPING FOR %s SERVER %I', quote_ident(usename), srvname) FROM pg_user_mappings
UNION ALL
SELECT format('DROP OWNED BY %1$I; DROP ROLE %1$I', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'
"""


def read_conditions() -> None:
    """Let psycopg raise what the DETAIL of Multicorn2's errors says, as the bundled host's SQLSTATE does."""
    plain = errors.error_from_result

    def error_from_result(result: Any, encoding: str = "utf-8") -> psycopg.Error:
        error = plain(result, encoding)
        said = {key: result.error_field(key) for key in DiagnosticField}
        found = CONDITION.match(said[DiagnosticField.MESSAGE_DETAIL] or b"")
        if said[DiagnosticField.SQLSTATE] != INTERNAL_ERROR or found is None:
            return error
        kind = getattr(errors, "".join(word.capitalize() for word in found[1].decode().split("_")), None)
        if kind is None:
            return error
        said[DiagnosticField.SQLSTATE] = (kind.sqlstate or "").encode()
        said[DiagnosticField.MESSAGE_DETAIL] = said[DiagnosticField.MESSAGE_DETAIL][found.end() :] or None
        return kind(*error.args, info=said, encoding=encoding)

    errors.error_from_result = error_from_result
