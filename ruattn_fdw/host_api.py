"""What the tables ask of the server that runs them. This is the only module that knows which host that is.

Inside the bundled host the built-in module `_ruattn_host` answers: same transaction, same snapshot, the
caller's own privileges. An error of PostgreSQL comes out of every function here as the host's
`PostgresError`; it must never be swallowed, since the transaction is already lost. With Multicorn2 it is
`ruattn_fdw.multicorn.host`, which has those of the functions that a host without copies of vectors needs.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Sequence
from typing import Any, cast

from ruattn_fdw.host_protocol import FileMapping, Host
from ruattn_fdw.host_records import ColumnInfo, IndexInfo, IndexVersion, RelationInfo, SourceState

BUNDLED, MULTICORN = "_ruattn_host", "ruattn_fdw.multicorn.host"


@functools.cache
def host() -> Host:
    """The host that runs this interpreter: the bundled one where it has put its module, else Multicorn2."""
    return cast(Host, importlib.import_module(BUNDLED if is_bundled() else MULTICORN))


def relation(name: str) -> RelationInfo | None:
    """The relation that `name` means in the caller's search_path, or None.

    PostgresError where the caller may read no column of it.
    """
    found = host().relation(name)
    return None if found is None else RelationInfo(*found)


def columns(oid: int) -> tuple[ColumnInfo, ...]:
    """The columns of a relation in their order."""
    return _as_columns(tuple(host().columns(oid)))


@functools.lru_cache(maxsize=64)
def _as_columns(facts: tuple[tuple[Any, ...], ...]) -> tuple[ColumnInfo, ...]:
    return tuple(ColumnInfo(*column) for column in facts)


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


def explain(sql: str, args: Sequence[object] = ()) -> list[str]:
    """The lines of EXPLAIN (VERBOSE, COSTS OFF) of a SELECT."""
    explained = f"EXPLAIN (VERBOSE, COSTS OFF) {sql}"
    lines: list[str] = host().select(explained, ("text",), "", tuple(args), True)[0][0]
    return lines


def is_bundled() -> bool:
    """Whether the bundled host runs this interpreter."""
    return BUNDLED in sys.modules


def postgres_error() -> type[Exception]:
    """What an error of PostgreSQL is under Python, with `sqlstate` and `context`.

    It may be given a `prefix`, which then stands before its message, and must be raised again.
    """
    return host().PostgresError


def version() -> str:
    """The version of the package that the host was compiled for."""
    return host().VERSION


def library_folder() -> str:
    """Where the server has its loadable libraries."""
    return host().LIBRARIES


def caller() -> tuple[int, int]:
    """The oids of the database and of the role whose privileges are in effect."""
    return host().caller()


def source(oid: int, columns: Sequence[str]) -> SourceState:
    """What a source consists of; PostgresError where the caller may not read these columns of it."""
    return SourceState(*host().source(oid, tuple(columns)))


def snapshot() -> bytes:
    """The snapshot in full: two that are equal see the same rows. Empty where it proves nothing."""
    return host().snapshot()


def heap_keys(leaves: bytes) -> tuple[Any, Any, bool]:
    """The row versions that the snapshot sees, leaf by leaf in the order of their addresses.

    (addresses int64, inserting transactions uint32, whether these two name a version for ever).
    """
    tids, xmins, provable = host().heap_keys(leaves)
    return tids, xmins, bool(provable)


def view_keys(oid: int, vector_column: str) -> tuple[Any, Any, Any, bool, int]:
    """The row versions with a vector that a view shows of its table, in the order of the view.

    (tables int64, addresses int64 within them, inserting transactions int64, whether these name a version for
    ever, how many rows have no vector). Raises PostgresError as a SELECT from the view does.
    """
    oids, tids, xmins, provable, nulls = host().view_keys(oid, vector_column)
    return oids, tids, xmins, bool(provable), int(nulls)


def fetch(
    leaves: bytes, tids: Any, names: Sequence[str], kinds: Sequence[str], label: str, follow: bool = False
) -> tuple[Any, list[Any]]:
    """Rows by their addresses int64 (n,): (of each 0 unseen, 1 read, 2 NULL vector; columns of those read).

    names and kinds, as those of `select`, are the columns; with `follow` an address is that of a HOT chain.
    """
    found, columns = host().fetch(leaves, tids, tuple(names), tuple(kinds), label, follow)
    return found, list(columns)


def indexes(oid: int, vector_column: str, id_column: str | None) -> tuple[IndexInfo, ...]:
    """The attention indexes on a column of one table; `id_column` is what must not change by a HOT update."""
    return _as_indexes(tuple(host().indexes(oid, vector_column, id_column)))


@functools.lru_cache(maxsize=64)
def _as_indexes(facts: tuple[tuple[Any, ...], ...]) -> tuple[IndexInfo, ...]:
    return tuple(IndexInfo(*index) for index in facts)


def index_version(oid: int) -> IndexVersion | None:
    """The state of an attention index; None where it has been dropped, or lies on the primary only."""
    found = host().index_version(oid)
    return None if found is None else IndexVersion(*found)


def index_entries(oid: int, leaf: int, known: Any) -> tuple[Any, Any, Any]:
    """The entries beyond those at the places known, int64 (k,): places, addresses and whether NULL.

    Places and addresses int64 have the number of the leaf above bit 48; the address of a dead row is 0.
    """
    places, tids, nulls = host().index_entries(oid, leaf, known)
    return places, tids, nulls


def index_seen(leaves: bytes, tids: Any, slots: Any) -> tuple[Any, Any, int, int]:
    """Of entries (e,) that the snapshot sees: slots >= 0, the entries with slot -2, how many have slot -1.

    Slots and entries are int32. Last, how many entries had to be looked up in the heap.
    """
    seen, absent, nulls, looked_up = host().index_seen(leaves, tids, slots)
    return seen, absent, int(nulls), int(looked_up)


def all_visible(leaves: bytes, blocks: Any) -> bool:
    """Whether by the visibility map everybody sees all rows of the first blocks uint32 of each leaf."""
    return host().all_visible(leaves, blocks)


def lock(key: int, *, wait: bool = True) -> bool:
    """Take a lock between the backends of this database, until `unlock` or the end of the transaction."""
    return host().lock(key, wait)


def unlock(key: int) -> None:
    """Give a lock back."""
    host().unlock(key)


def check_interrupts() -> None:
    """Raise the host's `PostgresError` if a cancel is pending."""
    host().check_interrupts()


def interrupted() -> bool:
    """Whether `check_interrupts` would end the query, or even the process."""
    return host().interrupted()


def integer_setting(name: str) -> int:
    """A numeric setting: `threads`, or `max_memory` and `cache_size` in bytes."""
    return int(host().setting(name))


def text_setting(name: str) -> str:
    """A textual setting: `python`, `features` or `rerank_models`."""
    return str(host().setting(name))


def notice(message: str, detail: str | None = None, hint: str | None = None) -> None:
    """Send a NOTICE to the client."""
    host().notice(message, detail, hint)


def warning(message: str, detail: str | None = None, hint: str | None = None) -> None:
    """Send a WARNING to the client."""
    host().notice(message, detail, hint, True)


def map_file(fd: int, size: int, writable: bool) -> FileMapping:
    """Map the first `size` bytes of an open file, shared with all who map it; OSError where that fails.

    A file that shrinks while it is mapped reads as zeros from there on, and the mapping is damaged.
    """
    return host().map_file(fd, size, writable)


def crc32c(*buffers: Any) -> int:
    """The CRC-32C of the bytes of contiguous buffers, one after the other."""
    return host().crc32c(*buffers)


def give_back_memory() -> None:
    """Give back to the system what malloc keeps of memory that was freed."""
    host().give_back_memory()
