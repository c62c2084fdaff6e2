"""What `host_api` asks where Multicorn2 runs the handlers: rows are read over a connection of the role's own.

There is no attention index and no copy of vectors: what proves a copy current only the bundled host knows.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

import ruattn_fdw
from ruattn_fdw.arrays import array_literal
from ruattn_fdw.errors import OUT_OF_MEMORY, AttentionError
from ruattn_fdw.multicorn import backend, catalogue
from ruattn_fdw.multicorn.backend import caller, check_interrupts, interrupted
from ruattn_fdw.multicorn.messages import notice
from ruattn_fdw.multicorn.rows import Columns, in_copys_format
from ruattn_fdw.multicorn.session import acting

__all__ = [
    "caller",
    "check_interrupts",
    "columns",
    "index_version",
    "indexes",
    "interrupted",
    "map_file",
    "notice",
    "primary_key",
    "relation",
    "select",
    "setting",
    "source",
]  # fmt: skip

VERSION, LIBRARIES = ruattn_fdw.__version__, backend.libraries()

NO_COPY = "the host is Multicorn2"
MEBIBYTE = 1024 * 1024
PLACEHOLDER = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|\$(\d+)')


def relation(name: str) -> tuple[int, str, str, str, float] | None:
    """A relation of this name in the caller's search_path, or None."""
    found, count = _look_up(catalogue.RELATION, catalogue.RELATION_KINDS, name)
    if not count:
        return None
    oid, schema, own_name, kind, rows = (column[0] for column in found)
    return int(oid), schema, own_name, kind, float(rows)


def columns(oid: int) -> list[tuple[str, str, str]]:
    """The columns of a relation as (name, type, kind)."""
    found, _ = _look_up(catalogue.COLUMNS, ("text", "text", "text"), oid)
    return list(zip(*found, strict=True))


def primary_key(oid: int) -> str | None:
    """The column of a single-column primary key."""
    (names,), count = _look_up(catalogue.PRIMARY_KEY, ("text",), oid)
    return names[0] if count == 1 else None


def select(sql: str, kinds: Sequence[str], label: str, args: Sequence[object]) -> tuple[list[Any], int, int]:
    """The result of a read-only SELECT: (columns, rows, rows skipped for a NULL vector)."""
    link, limit = acting().link(), setting("max_memory")
    found = Columns(kinds, label)
    statement = PLACEHOLDER.sub(
        lambda match: _literal(args[int(match[1]) - 1], link.literal) if match[1] else match[0], sql
    )
    for rows in link.rows(in_copys_format(statement, kinds)):
        found.add(rows)
        if found.size > limit:
            raise AttentionError(
                f"the rows of {label} need more than max_memory = {limit // MEBIBYTE} MB",
                sqlstate=OUT_OF_MEMORY,
                detail=f"Row {found.rows} did not fit.",
                hint="Raise the server's option max_memory, or restrict the rows with candidates or a view.",
            )
    return found.results(), found.rows, found.skipped


def source(oid: int, columns: Sequence[str]) -> tuple[str, bool, bytes, bytes, None]:
    """No copy of it may be kept; the SELECT that reads it checks the caller's privileges."""
    return NO_COPY, False, b"", b"", None


def indexes(oid: int, vector_column: str, id_column: str | None) -> list[Any]:
    """There is no attention index."""
    return []


def index_version(oid: int) -> None:
    """There is no attention index."""


def map_file(fd: int, size: int, writable: bool) -> NoReturn:
    """No file is mapped: nothing here would outlast it being cut short. So no search is counted either."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def setting(name: str) -> Any:
    """The value of a setting: those that users have are options of the server."""
    return acting().settings[name]


def _look_up(sql: str, kinds: Sequence[str], argument: object) -> tuple[list[Any], int]:
    """(columns, rows) of a look into the catalogue, which takes milliseconds."""
    return acting().link().once((sql, argument), lambda: select(sql, kinds, "", (argument,))[:2])


def _literal(value: object, quoted: Any) -> str:
    """A value in the type that the bundled host gives it."""
    if value is None or isinstance(value, str):
        return f"{'NULL' if value is None else quoted(value)}::pg_catalog.text"
    if isinstance(value, int):
        return f"{value}::pg_catalog.int8"
    if isinstance(value, float):
        return f"'{value!r}'::pg_catalog.float8"
    if isinstance(value, list):
        return f"{quoted(array_literal(value))}::pg_catalog.text[]"
    return f"'{{{','.join(map(str, np.asarray(value).tolist()))}}}'::pg_catalog.int8[]"
