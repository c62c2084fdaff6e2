"""Shards: servers whose tables postgres_fdw has brought into schemas of this database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ruattn_fdw import __version__, host_api
from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NO_SUCH_OBJECT, NO_SUCH_RELATION, NOT_SUPPORTED, AttentionError
from ruattn_fdw.source.literals import string
from ruattn_fdw.source.rows import quote

FACTS = """
SELECT f.ftrelid, s.srvname, w.fdwname,
       (SELECT option_value FROM pg_catalog.pg_options_to_table(s.srvoptions)
        WHERE option_name OPERATOR(pg_catalog.=) 'extensions'),
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_roles r
                              ON r.rolname OPERATOR(pg_catalog.=) CURRENT_USER
                         WHERE m.srvid OPERATOR(pg_catalog.=) s.oid
                           AND (m.umuser OPERATOR(pg_catalog.=) r.oid OR m.umuser OPERATOR(pg_catalog.=) 0))
            THEN 'yes' ELSE 'no' END,
       (SELECT n.nspname
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
        WHERE a.attrelid OPERATOR(pg_catalog.=) f.ftrelid AND a.attname OPERATOR(pg_catalog.=) 'query'
          AND t.typname OPERATOR(pg_catalog.=) 'attention_vector'),
       (SELECT pg_catalog.array_agg(pg_catalog.concat(option_name, ' ', option_value)
                                    ORDER BY option_name USING OPERATOR(pg_catalog.<))::pg_catalog.text
        FROM pg_catalog.pg_options_to_table(s.srvoptions)
        WHERE option_name OPERATOR(pg_catalog.=) ANY (ARRAY['host', 'hostaddr', 'port', 'dbname', 'service']))
FROM pg_catalog.pg_foreign_table f
     JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) f.ftserver
     JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
WHERE f.ftrelid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])
"""

HAS_POSTGRES_FDW = """
SELECT fdwname FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname OPERATOR(pg_catalog.=) 'postgres_fdw'
"""


class Facts(NamedTuple):
    """What the catalogue says of a foreign table.

    vectors: the schema of the type attention_vector. place: where its server is, and which database.
    """

    server: str
    wrapper: str
    extensions: str | None
    mapped: str
    vectors: str | None
    place: str | None


@dataclass(frozen=True)
class Shard:
    """A shard's table as this database has it. vectors: the schema of the type attention_vector."""

    schema: str
    server: str
    oid: int
    vectors: str

    @property
    def label(self) -> str:
        """The shard as messages and EXPLAIN name it."""
        return f'shard "{self.schema}" (server "{self.server}")'

    @property
    def number(self) -> str:
        """A number that stands for it in statements without options, and equals no integer."""
        return f"{self.oid}.5"

    def is_asked_by(self, context: str) -> bool:
        """Whether an error's context has a statement for this shard, as postgres_fdw writes it."""
        return self._marker in context or f"<> {self.number})" in context

    @property
    def _marker(self) -> str:
        return string(f'"name": {json.dumps(self.schema, ensure_ascii=False)}').removeprefix("E").strip("'")


def find_shards(schemas: Sequence[str], table: Table) -> list[Shard]:
    """The shards that have this table in these schemas; AttentionError where one cannot be asked."""
    if not host_api.is_bundled():
        raise AttentionError(
            "shards are asked by the bundled host only",
            sqlstate=NOT_SUPPORTED,
            hint="On Multicorn2 leave the option shards out, or use the extension ruattn_fdw.",
        )
    oids = [_find_table(schema, table) for schema in schemas]
    (found, *columns), _, _ = host_api.select(
        FACTS, ("id", *("text",) * len(Facts._fields)), args=(np.array(oids),)
    )
    facts = dict(zip(np.asarray(found).tolist(), map(Facts, *columns), strict=True))
    shards = [_checked(schema, oid, facts.get(oid), table) for schema, oid in zip(schemas, oids, strict=True)]
    _check_apart(shards, facts)
    return shards


def _check_apart(shards: Sequence[Shard], facts: Mapping[int, Facts]) -> None:
    """Raise where two of them are one database."""
    at: dict[str | None, Shard] = {}
    for shard in shards:
        other = at.setdefault(facts[shard.oid].place, shard)
        if other is shard:
            continue
        same = other.server == shard.server
        servers = f'server "{shard.server}"' if same else f'servers "{other.server}" and "{shard.server}"'
        raise AttentionError(
            f'shards "{other.schema}" and "{shard.schema}" are one database, of {servers}',
            hint="Its rows would count twice: name each database once.",
        )


def _find_table(schema: str, table: Table) -> int:
    try:
        relation = host_api.relation(f"{quote(schema)}.{quote(table.name)}")
    except host_api.postgres_error() as error:
        error.prefix = f'shard "{schema}": '  # type: ignore[attr-defined]
        raise
    if relation is not None:
        return relation.oid
    if not host_api.select(HAS_POSTGRES_FDW, ("text",))[1]:
        raise AttentionError(
            "shards are reached by postgres_fdw, which this database has not",
            sqlstate=NOT_SUPPORTED,
            hint="CREATE EXTENSION postgres_fdw; where the server has none, install its contrib package.",
        )
    raise AttentionError(
        f'shard "{schema}" has no foreign table {table.name}',
        sqlstate=NO_SUCH_RELATION,
        hint=_import(schema, table),
    )


def _checked(schema: str, oid: int, facts: Facts | None, table: Table) -> Shard:
    """The shard; AttentionError where postgres_fdw would not reach it, or not send all conditions on."""
    if facts is None or facts.wrapper != "postgres_fdw":
        raise AttentionError(
            f"{schema}.{table.name} is no foreign table of postgres_fdw",
            sqlstate=NOT_SUPPORTED,
            hint=f"Name a schema that holds a shard's tables. {_import(schema, table)}",
        )
    shard = Shard(schema, facts.server, oid, facts.vectors or "")
    if "ruattn_fdw" not in [name.strip() for name in (facts.extensions or "").split(",")]:
        raise AttentionError(
            f"{shard.label} does not say that it has ruattn_fdw",
            sqlstate=NOT_SUPPORTED,
            detail="So postgres_fdw would keep the conditions on vectors to itself.",
            hint=f"ALTER SERVER {quote(facts.server)} OPTIONS (ADD extensions 'ruattn_fdw');",
        )
    if facts.mapped != "yes":
        raise AttentionError(
            f"{shard.label}: there is no user mapping for you",
            sqlstate=NO_SUCH_OBJECT,
            hint=f"CREATE USER MAPPING FOR CURRENT_USER SERVER {quote(facts.server)} OPTIONS (user '...');",
        )
    known = {column.name for column in host_api.columns(oid)}
    missing = [column.name for column in table.columns() if column.name not in known]
    if missing or facts.vectors is None:
        what = f"a column {missing[0]}" if missing else "a query of type attention_vector"
        raise AttentionError(
            f"{shard.label}: its {table.name} has not {what}, it is of another version",
            sqlstate=NOT_SUPPORTED,
            hint=f"Bring all servers to ruattn_fdw {__version__}, drop the table and import it again.",
        )
    return shard


def _import(schema: str, table: Table) -> str:
    return (
        f"IMPORT FOREIGN SCHEMA public LIMIT TO ({table.name}) FROM SERVER ... INTO {quote(schema)}, "
        "with the server of that shard."
    )
