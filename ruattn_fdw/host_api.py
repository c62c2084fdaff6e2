"""What the tables ask of the server that runs them. This is the only module that knows which host that is.

Inside the bundled host the built-in module `_ruattn_host` answers: same transaction, same snapshot, the
caller's own privileges. An error of PostgreSQL comes out of every function here as the host's
`PostgresError`; it must never be swallowed, since the transaction is already lost.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast


class RelationInfo(NamedTuple):
    """A relation of the catalogue; `reltuples` is the planner's estimate of its rows, -1 for none."""

    oid: int
    schema: str
    name: str
    relkind: str
    reltuples: float


class ColumnInfo(NamedTuple):
    """A visible column; `kind` is real[], double precision[], vector, halfvec, integer, text or other."""

    name: str
    type_name: str
    kind: str


class Host(Protocol):
    """The functions that a host offers."""

    def relation(self, name: str) -> Any:
        """A relation of this name, or None."""

    def columns(self, oid: int) -> Any:
        """The columns of a relation."""

    def primary_key(self, oid: int) -> str | None:
        """The column of a single-column primary key."""

    def select(self, sql: str, kinds: Sequence[str], label: str, args: Sequence[object]) -> Any:
        """The result of a read-only SELECT."""

    def check_interrupts(self) -> None:
        """Raise if a cancel is pending."""

    def setting(self, name: str) -> int | str:
        """The value of a setting."""

    def notice(self, message: str, detail: str | None = None, hint: str | None = None) -> None:
        """Tell the client something."""


@functools.cache
def host() -> Host:
    """The host that runs this interpreter."""
    return cast(Host, importlib.import_module("_ruattn_host"))


def relation(name: str) -> RelationInfo | None:
    """The relation that `name` means in the caller's search_path, or None."""
    found = host().relation(name)
    return None if found is None else RelationInfo(*found)


def columns(oid: int) -> list[ColumnInfo]:
    """The columns of a relation in their order."""
    return [ColumnInfo(*column) for column in host().columns(oid)]


def primary_key(oid: int) -> str | None:
    """The column of a single-column primary key, or None."""
    return host().primary_key(oid)


def select(
    sql: str, kinds: Sequence[str], label: str = "", args: Sequence[object] = ()
) -> tuple[list[Any], int, int]:
    """Run a read-only SELECT; (columns, rows, rows skipped because their vector is NULL).

    `kinds`, one for each column: id (buffer int64), vector (buffer float32, rows x dimensions), float (buffer
    float64), text (list of str or None). `label` names the vector column in messages about bad data.
    """
    values, rows, skipped = host().select(sql, tuple(kinds), label, tuple(args))
    return list(values), int(rows), int(skipped)


def check_interrupts() -> None:
    """Raise the host's `PostgresError` if a cancel is pending."""
    host().check_interrupts()


def integer_setting(name: str) -> int:
    """A numeric setting: `threads`, or `max_memory` in bytes."""
    return int(host().setting(name))


def text_setting(name: str) -> str:
    """A textual setting: `python` or `features`."""
    return str(host().setting(name))


def notice(message: str, detail: str | None = None, hint: str | None = None) -> None:
    """Send a NOTICE to the client."""
    host().notice(message, detail, hint)
