"""Copies proved by attention indexes: entries say what rows there are, the visibility map who sees them.

The order of the steps, with the relations locked and the snapshot taken before: the indexes' epochs; their
entries; which of these the snapshot sees; the epochs again. VACUUM draws a new epoch before it frees the
first address, so under an unchanged epoch every address stood for the row of its entry.

But for dangling entries, which have no row: ALTER TABLE ... SET TABLESPACE gives the table another file and
its indexes none, so a rollback takes away the rows that were inserted after it and leaves their entries.
Where a row comes to such an address it brings an entry of its own, so of two entries at one address the newer
counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.build import NoCopyError, as_mapped, create, first_look, locked, opened, signed
from ruattn_fdw.cache.copy import ABSENT, ENTRIES, EPOCHS, LENGTHS, NULL, Copy
from ruattn_fdw.cache.entries import Entries, one_an_address, places_of
from ruattn_fdw.cache.reader import ROWS, Chunk, OtherWidthError, Reader
from ruattn_fdw.host_records import IndexInfo, IndexVersion

ATTEMPTS = 16
MANY = 10_000
"""Rows to be looked up one by one, about 3 ms, from which on VACUUM is recommended."""


class MovedError(Exception):
    """VACUUM came in between: what was read may be other rows."""


@dataclass(frozen=True)
class Seen:
    """What a snapshot sees of a copy: the slots of vectors (s,), and how many rows without one."""

    slots: np.ndarray
    nulls: int


class IndexedCopy:
    """The copy of a source each of whose leaves has an attention index.

    identity: that of the source with that of the indexes. dtype: what the copy holds, which is not what
    the indexes declare where codes give no answer.
    """

    def __init__(
        self,
        name: str,
        identity: bytes,
        leaves: bytes,
        indexes: Sequence[IndexInfo],
        reader: Reader,
        dtype: str,
    ) -> None:
        self.name, self._leaves, self._indexes, self.reader = name, leaves, indexes, reader
        self._dtype, self._looked_up = dtype, 0
        about = ((i.oid, i.covering, v.file, v.build) for i, v in zip(indexes, self._look(), strict=True))
        self.identity = _identity(identity, tuple(about))

    def seen(self, copy: Copy | None) -> tuple[Copy, Seen, str]:
        """(the copy, what the snapshot sees of it, how it was used); errors as of `bring_up_to_date`."""
        use = "hit"
        copy = copy or first_look(self.name, self.identity)
        for _ in range(ATTEMPTS):
            versions = self._look()
            if copy is None or not _is_complete(copy, versions):
                copy, use = self._update(copy)
            epochs = copy.file.load(EPOCHS)
            seen, absent = self._seen_of(copy)
            if not len(absent) and _epochs(self._look()) == epochs:
                return copy, seen, use
            if len(absent):
                copy, use = self._update(copy)
        raise NoCopyError("VACUUM at work")

    def _look(self) -> list[IndexVersion]:
        versions = [host_api.index_version(index.oid) for index in self._indexes]
        if None in versions:
            raise NoCopyError("an index dropped meanwhile")
        return [version for version in versions if version is not None]

    def _seen_of(self, copy: Copy) -> tuple[Seen, np.ndarray]:
        """(what the snapshot sees, the entries that it sees and nobody has read yet)."""
        blocks = copy.blocks(len(self._indexes))
        if blocks is not None and host_api.all_visible(self._leaves, blocks):
            settled = copy.settled()
            return Seen(settled.slots, settled.nulls), np.empty(0, np.int64)
        return self._look_up(copy.tids[: copy.entries], copy.slots)

    def _look_up(self, tids: np.ndarray, slots: np.ndarray) -> tuple[Seen, np.ndarray]:
        """The same of entries by their addresses (e,) and slots, one by one."""
        slots_seen, absent, nulls, self._looked_up = host_api.index_seen(
            self._leaves, tids, slots[: len(tids)]
        )
        return Seen(np.asarray(slots_seen), nulls), np.asarray(absent)

    def _update(self, mapped: Copy | None) -> tuple[Copy, str]:
        """The copy with every entry that there is by now, and every vector that the snapshot sees."""
        with locked(self.name):
            copy = opened(self.name, self.identity, mapped, writable=True)
            for _ in range(ATTEMPTS):
                with suppress(MovedError):
                    return self._updated(copy, mapped)
        raise NoCopyError("VACUUM at work")

    def _updated(self, copy: Copy | None, mapped: Copy | None) -> tuple[Copy, str]:
        """The copy refreshed, or built anew: where it has no room, or its vectors are of another width."""
        if copy is not None:
            with suppress(OtherWidthError):
                if self._refreshed(copy):
                    return as_mapped(copy, mapped), "refreshed"
                return self._build(copy), "built"
        return self._build(None), "built"

    def _refreshed(self, copy: Copy) -> bool:
        with signed(copy):
            return self._refresh(copy)

    def _refresh(self, copy: Copy) -> bool:
        """Bring a copy up to date; False where it has no room for what is new."""
        versions = self._look()
        moved = _epochs(versions) != copy.file.load(EPOCHS)
        known = copy.versions[: copy.entries]
        entries = self._read_entries(known if not moved else known[:0])
        new = one_an_address(entries if not moved else entries.take(~np.isin(entries.places, known)))
        if not copy.has_room(len(new.places), 0):
            return False
        if moved:
            _bury(copy, np.flatnonzero(np.isin(known, entries.places[entries.tids == 0])))
        _bury(copy, places_of(copy.tids[: copy.entries], new.tids))
        _append(copy, new)
        copy.file.store(EPOCHS, _epochs(versions))
        unread = np.flatnonzero(copy.slots[: copy.entries] == ABSENT)
        absent = unread[self._look_up(copy.tids[unread], copy.slots[unread])[1]]
        if not copy.has_room(0, len(absent)):
            return False
        self._fill(copy, absent)
        copy.file.store(LENGTHS, _lengths(versions))
        return True

    def _build(self, old: Copy | None) -> Copy:
        """A new copy of all entries; vectors that an old one has are taken from there, codes are not."""
        old = None if self._dtype != "float32" else old
        versions = self._look()
        entries = one_an_address(self._read_entries(np.empty(0, np.int64)))
        slots = np.where(entries.nulls, NULL, ABSENT)
        inherited, places = _inherited(old, entries)
        slots[inherited] = 0
        absent = self._look_up(entries.tids, slots)[1]
        slots[inherited] = ABSENT
        if not len(absent) and not len(inherited):
            raise NoCopyError("no vectors")
        dim = self._width(entries.tids[absent[:1]]) if old is None else old.dim
        # the copy that an index is listed with is the one that it declares
        declared = self._dtype == self._indexes[0].dtype
        builds = [version.build for version in versions] if declared else []
        count = len(absent) + len(inherited)
        copy = create(self.name, self.identity, self._dtype, dim, len(entries.tids), count, builds)
        copy.slots[: len(slots)] = slots
        copy.tids[: len(slots)], copy.versions[: len(slots)] = entries.tids, entries.places
        copy.file.store(EPOCHS, _epochs(versions))
        if old is not None:
            _take_over(copy, inherited, old, places)
        self._fill(copy, absent)
        copy.file.store(ENTRIES, len(slots))
        copy.file.store(LENGTHS, _lengths(versions))
        copy.sign()
        copy.file.publish()
        if self._looked_up > MANY:
            self.reader.advise_vacuum(self._looked_up)
        return copy

    def _read_entries(self, known: np.ndarray) -> Entries:
        """The entries of all indexes beyond the places that are known (k,), leaf by leaf the first ones."""
        parts = []
        for leaf, index in enumerate(self._indexes):
            parts.append([np.asarray(a) for a in host_api.index_entries(index.oid, leaf, known)])
        places, tids, nulls = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return Entries(places, tids, nulls.astype(bool))

    def _width(self, tid: np.ndarray) -> int:
        vectors = self.reader.read(tid).vectors
        if not len(vectors):
            raise MovedError
        return int(vectors.shape[1])

    def _fill(self, copy: Copy, absent: np.ndarray) -> None:
        """Read the rows of these entries into the copy, which has room for them."""
        for part, chunk in self.reader.chunks(copy.tids[absent]):
            chunk.check_width(copy.dim)
            if _epochs(self._look()) != copy.file.load(EPOCHS):
                raise MovedError
            _write(copy, absent[part], chunk)
            # dangling entries, on a page of which everybody sees all rows
            _bury(copy, absent[part][~chunk.is_row & ~chunk.is_null])


def _write(copy: Copy, entries: np.ndarray, chunk: Chunk) -> None:
    """Write what was read of these entries. A slot is set after its vector is there."""
    first = copy.vectors
    slots, left = copy.write_vectors(chunk, first)
    copy.seal(first, first + len(chunk.vectors))
    copy.sum_up(left, first)
    copy.slots[entries] = slots


def _append(copy: Copy, new: Entries) -> None:
    start, end = copy.entries, copy.entries + len(new.places)
    copy.tids[start:end], copy.versions[start:end] = new.tids, new.places
    copy.slots[start:end] = np.where(new.nulls, NULL, ABSENT)
    copy.file.store(ENTRIES, end)


def _bury(copy: Copy, entries: np.ndarray) -> None:
    """Give up the addresses of entries (n,) whose rows are dead to everybody."""
    copy.tids[entries] = 0


def _inherited(old: Copy | None, entries: Entries) -> tuple[np.ndarray, np.ndarray]:
    """(entries that an old copy has a vector of, the entries there)."""
    if old is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    known = old.versions[: old.entries]
    order = np.argsort(known)
    at = order[np.searchsorted(known[order], entries.places).clip(max=len(known) - 1)]
    has = (known[at] == entries.places) & (old.slots[at] >= 0) & (entries.tids != 0)
    return np.flatnonzero(has), at[has]


def _take_over(copy: Copy, entries: np.ndarray, old: Copy, old_entries: np.ndarray) -> None:
    """Copy the vectors of old entries (n,) to entries (n,)."""
    for start in range(0, len(entries), ROWS):
        part = slice(start, start + ROWS)
        slots = old.slots[old_entries[part]]
        all_rows = np.ones(len(slots), bool)
        _write(copy, entries[part], Chunk(all_rows, ~all_rows, old.keys[slots], old.ids[slots]))
        host_api.check_interrupts()


@lru_cache(maxsize=256)
def _identity(source: bytes, indexes: tuple[tuple[int, int, bytes, int], ...]) -> bytes:
    """That of a source with its indexes: (oid, covering, file, build) of each."""
    return hashlib.blake2b(source + repr(list(indexes)).encode(), digest_size=32).digest()


def _is_complete(copy: Copy, versions: Sequence[IndexVersion]) -> bool:
    """Whether the copy has every entry of these versions of the indexes."""
    return copy.file.load(LENGTHS) == _lengths(versions) and copy.file.load(EPOCHS) == _epochs(versions)


def _epochs(versions: Sequence[IndexVersion]) -> int:
    return _digest((version.build, version.epoch) for version in versions)


def _lengths(versions: Sequence[IndexVersion]) -> int:
    return _digest((version.length, version.blocks) for version in versions)


def _digest(numbers: Iterable[tuple[int, int]]) -> int:
    """64 bits of the numbers, never 0, which is what a file begins with."""
    digest = hashlib.blake2b(repr(list(numbers)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1
