"""Copies written: built of all that a snapshot sees, or added to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache import folder, matrix_file
from ruattn_fdw.cache.copy import ENTRIES, NULL, SORTED, Copy
from ruattn_fdw.cache.reader import ROWS, Chunk, OtherWidthError, Reader

HEADROOM = 1024
"""Rows that can at least be added to a copy before it is written anew."""


class NoCopyError(Exception):
    """There is no copy and there will be none, with the reason as users read it."""


@dataclass(frozen=True)
class Wanted:
    """What a copy must hold: its file's name and identity, the row versions (n,), and who reads them.

    trusted: the copy as this backend has it mapped.
    """

    name: str
    identity: bytes
    tids: np.ndarray
    versions: np.ndarray
    reader: Reader
    trusted: Copy | None


def bring_up_to_date(wanted: Wanted) -> tuple[Copy, np.ndarray, str]:
    """(a copy that holds all versions, their entries (n,), "hit", "refreshed" or "built").

    One backend of a database works on a file at a time, the others wait for it. Raises NoCopyError,
    OtherWidthError, OSError.
    """
    with locked(wanted.name):
        copy = opened(wanted.name, wanted.identity, wanted.trusted, writable=True)
        if copy is not None:
            with suppress(OtherWidthError):
                return _refreshed(wanted, copy)
        return *_built(wanted, None, np.full(len(wanted.tids), -1)), "built"


def _refreshed(wanted: Wanted, copy: Copy) -> tuple[Copy, np.ndarray, str]:
    """The same with a copy that is there, where the new vectors are as wide as those that it has."""
    entries = copy.find(wanted.tids, wanted.versions)
    missing = np.flatnonzero(entries < 0)
    if not len(missing):
        return as_mapped(copy, wanted.trusted), entries, "hit"
    if not copy.has_room(len(missing), len(missing)):
        return *_built(wanted, copy, entries), "built"
    with signed(copy):
        entries[missing] = _added(copy, wanted, missing)
    return as_mapped(copy, wanted.trusted), entries, "refreshed"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """The right of one backend at a time to write the file of that name; others wait as for any lock."""
    key = int(name, 16)
    host_api.lock(key)
    try:
        yield
    finally:
        host_api.unlock(key)


@contextmanager
def signed(copy: Copy) -> Iterator[None]:
    """Changes of a copy, which is whole after each of them, whatever ends them."""
    try:
        yield
    finally:
        copy.sign()


def first_look(name: str, identity: bytes) -> Copy | None:
    """The copy of that name and identity where its checksums hold, None otherwise."""
    with locked(name):
        return opened(name, identity)


def exists(name: str, identity: bytes) -> bool:
    """Whether there is a file of that name and identity."""
    return matrix_file.MatrixFile.open(name, identity) is not None


def opened(name: str, identity: bytes, trusted: Copy | None = None, *, writable: bool = False) -> Copy | None:
    """The copy of that name and identity; None where there is none, or its checksums do not hold.

    Only under its lock. trusted: the same file as it was mapped before, whose checksums have been looked at.
    """
    file = matrix_file.MatrixFile.open(name, identity, writable=writable)
    if file is None:
        return None
    copy = Copy(file)
    known = trusted is not None and trusted.file.is_same(file)
    return copy if known or copy.is_sound() else None


def as_mapped(copy: Copy, mapped: Copy | None) -> Copy:
    """The copy as it was mapped before, if it is of the same file: a new mapping costs a fault a page."""
    return mapped if mapped is not None and mapped.file.is_same(copy.file) else copy


def _added(copy: Copy, wanted: Wanted, missing: np.ndarray) -> np.ndarray:
    """Read the missing versions into the copy; their entries."""
    first = copy.entries
    tids, versions = wanted.tids[missing], wanted.versions[missing]
    for part, chunk in wanted.reader.chunks(tids):
        chunk.check_width(copy.dim)
        copy.add(tids[part], versions[part], chunk)
    return np.arange(first, first + len(missing), dtype=np.int32)


def _built(wanted: Wanted, old: Copy | None, entries: np.ndarray) -> tuple[Copy, np.ndarray]:
    """A new copy of these versions alone, in their order; what an old one holds is taken from there."""
    count = len(wanted.tids)
    slots = np.full(count, NULL, np.int64)
    copy, filled = None, 0
    for part, chunk in _chunks(wanted, old, entries):
        if len(chunk.vectors):
            copy = copy or create(
                wanted.name, wanted.identity, "float32", chunk.vectors.shape[1], count, count
            )
            chunk.check_width(copy.dim)
            slots[part], _ = copy.write_vectors(chunk, filled)
            filled += len(chunk.vectors)
        host_api.check_interrupts()
    if copy is None:
        raise NoCopyError("no vectors")
    copy.tids[:count], copy.versions[:count], copy.slots[:count] = wanted.tids, wanted.versions, slots
    copy.seal(0, filled)
    copy.file.store(SORTED, count)
    copy.file.store(ENTRIES, count)
    copy.sign()
    copy.file.publish()
    return copy, np.arange(count, dtype=np.int32)


def create(
    name: str,
    identity: bytes,
    dtype: str,
    dim: int,
    entries: int,
    vectors: int,
    builds: Sequence[int] = (),
) -> Copy:
    """A new file for so many entries and vectors and more to come, after others have made room for it."""
    sizes = [count + max(HEADROOM, count // 4) for count in (entries, vectors)]
    limit = host_api.integer_setting("cache_size")
    if not folder.evict(Copy.size(dtype, dim, *sizes), limit, name):
        raise NoCopyError("larger than ruattn_fdw.cache_size")
    return Copy.create(name, identity, dtype, dim, sizes[0], sizes[1], builds)


def _chunks(wanted: Wanted, old: Copy | None, entries: np.ndarray) -> Iterator[tuple[slice, Chunk]]:
    if old is None:
        yield from wanted.reader.chunks(wanted.tids)
        return
    for start in range(0, len(entries), ROWS):
        part = slice(start, min(start + ROWS, len(entries)))
        yield part, _taken(wanted, old, entries[part], part)


def _taken(wanted: Wanted, old: Copy, entries: np.ndarray, part: slice) -> Chunk:
    """A chunk out of the old copy, and where that has no entry, out of the source."""
    known = entries >= 0
    slots = np.where(known, old.slots[entries], NULL)
    is_row, is_null = slots >= 0, known & (slots == NULL)
    if known.all():
        return Chunk(is_row, is_null, old.keys[slots[is_row]], old.ids[slots[is_row]])
    read = wanted.reader.read(wanted.tids[part][~known])
    read.check_width(old.keys.shape[1])
    is_row[~known], is_null[~known] = read.is_row, read.is_null
    from_old = known[is_row]
    vectors = np.empty((int(is_row.sum()), old.keys.shape[1]), np.float32)
    ids = np.empty(len(vectors), np.int64)
    vectors[from_old], ids[from_old] = old.keys[slots[is_row & known]], old.ids[slots[is_row & known]]
    if len(read.vectors):
        vectors[~from_old] = read.vectors
        if read.ids is not None:
            ids[~from_old] = read.ids
    return Chunk(is_row, is_null, vectors, ids)
