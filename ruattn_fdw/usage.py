"""How often searches ran and what they cost, added up by all backends in one small mapped file.

The file lies with the copies of vectors and goes when the server starts, as they do. It is a table of
buckets: a search is counted in the bucket that its key falls into, where if need be it takes the place of the
one that was called least. The lock is the kernel's, which a backend that dies gives back.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple

from ruattn_fdw import host_api
from ruattn_fdw.cache import folder
from ruattn_fdw.errors import IO_ERROR, NOT_SUPPORTED, AttentionError
from ruattn_fdw.host_protocol import FileMapping
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch

PATH = f"{folder.FOLDER}/pgsql_tmp_attention_stats_1"
"""With the number of this layout: a server may run while the package is replaced."""

_KEY = struct.Struct("<3I4x24s40s")
_FIGURES = struct.Struct("<3q5d")
_SLOT = _KEY.size + _FIGURES.size
_BUCKETS, _WAYS = 128, 16
SLOTS = _BUCKETS * _WAYS
SIZE = SLOTS * _SLOT
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

Sums = tuple[int, int, int, float, float, float, float]


class Searches(NamedTuple):
    """The searches of one role in one database that are counted together; a relation of 0 is none."""

    database: int
    role: int
    relation: int
    operation: str
    attention_type: str


class Figures(NamedTuple):
    """What such searches came to; times in milliseconds, `last_call` in seconds since 1970."""

    calls: int
    rows_scored: int
    cache_hits: int
    ms_read: float
    ms_check: float
    ms_kernel: float
    ms_emit: float
    last_call: float


def counted(operation: str, batches: Iterator[Batch], report: Report) -> Iterator[Batch]:
    """The batches; when there are no more, or no more are wanted, their search is counted.

    What ended in an error is not, nor what scored nothing.
    """
    caller = host_api.caller()
    try:
        yield from batches
    except GeneratorExit:
        _count(caller, operation, report)
        raise
    _count(caller, operation, report)


def entries() -> Iterator[tuple[Searches, Figures]]:
    """All searches that are known of."""
    with _in_words():
        content = USAGE.content()
    for at in range(0, SIZE, _SLOT):
        *numbers, operation, attention_type = _KEY.unpack_from(content, at)
        if numbers[0]:
            names = (text.rstrip(b"\0").decode(errors="replace") for text in (operation, attention_type))
            yield Searches(*numbers, *names), Figures(*_FIGURES.unpack_from(content, at + _KEY.size))


def forget() -> None:
    """Begin anew with the searches of this database."""
    with _in_words():
        USAGE.clear(host_api.caller()[0])


@contextmanager
def _in_words() -> Iterator[None]:
    if not host_api.is_bundled():
        raise AttentionError(
            "there are no statistics of searches here",
            sqlstate=NOT_SUPPORTED,
            hint="The extension ruattn_fdw, of the bundled host, keeps them.",
        )
    try:
        yield
    except OSError as error:
        raise AttentionError(
            f"the statistics of searches cannot be kept: {error.strerror or error}",
            sqlstate=IO_ERROR,
            hint="The server's account must be able to write to base/pgsql_tmp in the data directory.",
        ) from error


def _count(caller: tuple[int, int], operation: str, report: Report) -> None:
    scored, warm = report.take_scored()
    if scored is not None:
        key = _key(*caller, scored.relation, operation, scored.attention_type)
        USAGE.add(key, (1, scored.rows, warm, *report.lap()), time.time())


@lru_cache(maxsize=256)
def _key(database: int, role: int, relation: int, operation: str, attention_type: str) -> bytes:
    return _KEY.pack(database, role, relation, operation.encode(), attention_type.encode())


@lru_cache(maxsize=256)
def _bucket(key: bytes) -> range:
    """Where the slots are that a key may have."""
    first = zlib.crc32(key) % _BUCKETS * _WAYS * _SLOT
    return range(first, first + _WAYS * _SLOT, _SLOT)


class Usage:
    """The file, as this backend has it mapped."""

    def __init__(self) -> None:
        self._fd = -1
        self._mapping: FileMapping | None = None
        self._memory: Any = None

    def add(self, key: bytes, more: Sums, now: float) -> None:
        """Add a call that ended now to what is known of a key; where no file can be kept nothing is."""
        try:
            self._open()
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError:
            return
        try:
            at = self._place(key) + _KEY.size
            known = _FIGURES.unpack_from(self._memory, at)
            _FIGURES.pack_into(self._memory, at, *map(add, known, more), now)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def content(self) -> bytes:
        """The slots as they are. Raises OSError where no file can be kept."""
        self._open()
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        try:
            return bytes(self._memory)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def clear(self, database: int) -> None:
        """Forget the searches in a database. Raises OSError where no file can be kept."""
        self._open()
        mark = struct.pack("<I", database)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            for at in range(0, SIZE, _SLOT):
                if self._memory[at : at + len(mark)] == mark:
                    self._memory[at : at + _SLOT] = bytes(_SLOT)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _place(self, key: bytes) -> int:
        """Where a key is, or now is: in the slot of its bucket with the fewest calls, none if it is free."""
        memory, slots = self._memory, _bucket(key)
        for at in slots:
            if memory[at : at + _KEY.size] == key:
                return at
        at = min(slots, key=lambda at: _FIGURES.unpack_from(memory, at + _KEY.size)[0])
        _FIGURES.pack_into(memory, at + _KEY.size, *[0] * len(Figures._fields))
        memory[at : at + _KEY.size] = key
        return at

    def _open(self) -> None:
        """Map the file, again if it was cut short."""
        if self._mapping is not None and not self._mapping.damaged:
            return
        folder.make_folder()
        fd = os.open(PATH, _FLAGS, 0o600)
        try:
            _make_whole(fd)
            mapping: Any = host_api.map_file(fd, SIZE, True)
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._mapping, self._memory = fd, mapping, memoryview(mapping)


def _make_whole(fd: int) -> None:
    """Give a file that is new, or was left unfinished, its blocks; OSError where it is not ours."""
    status = os.fstat(fd)
    if not folder.is_ours(status):
        raise PermissionError(f"{PATH} is not the server's own")
    if status.st_size < SIZE:
        os.posix_fallocate(fd, 0, SIZE)


USAGE = Usage()
