"""A copy of a source's vectors in a shared file: which row versions it knows, and where their vectors lie.

An entry stands for a row version and never changes what it stands for. A vector, once written, never changes.
Both are only ever added, so a reader needs no lock: it looks at as many entries as were there when it began.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.entries_by_address import NO_ENTRIES, EntriesByAddress
from ruattn_fdw.cache.file_format import Section
from ruattn_fdw.cache.matrix_file import MatrixFile
from ruattn_fdw.cache.reader import Chunk
from ruattn_fdw.kernels.approximate import codes
from ruattn_fdw.kernels.arrays import spans

NULL, ABSENT = -1, -2
"""Slots of entries without a vector: of a row whose vector is NULL, of a row that nobody has yet read."""

ENTRIES, VECTORS, SORTED, LENGTHS, EPOCHS, RESIDUALS, SIGNATURE, BUILT = range(8)
"""The file's counters: entries, vectors, how many of the first entries are sorted; digests of the lengths and
the epochs that the indexes had before their entries were read; rows whose residuals are summed up, and where;
a checksum of these and the entries; when the file was built, in microseconds since 1970."""

NOT_VECTORS = {"builds", "tids", "versions", "slots", "residual_sums", "ids"}
"""The sections that do not hold vectors."""


class Settled(NamedTuple):
    """What is seen of a copy where every row is: slots of vectors int32 (s,), NULL vectors."""

    slots: np.ndarray
    nulls: int


class Copy:
    """A mapped copy.

    tids int64 (e,): the address of each entry, 0 for one whose row is dead to everybody. versions int64
    (e,): what tells it from others at that address. slots int64 (e,): where its vector lies, NULL or ABSENT.
    ids int64 (v,): the ids of the rows with a vector. vectors_as: the sections that hold the vectors, `keys`
    float32 (v, d), or where there are codes of fewer bits, those of `approximate.codes`.
    """

    def __init__(self, file: MatrixFile) -> None:
        self.file = file
        arrays = file.arrays
        self.tids, self.versions, self.slots = arrays["tids"], arrays["versions"], arrays["slots"]
        self.ids, self.vectors_as = arrays["ids"], {name: arrays[name] for name in set(arrays) - NOT_VECTORS}
        self._tail = NO_ENTRIES
        self._blocks: tuple[tuple[int, int], np.ndarray] | None = None
        self._settled: tuple[tuple[int, int], Settled] | None = None
        self._entry_of: np.ndarray | None = None

    @staticmethod
    def create(
        name: str, identity: bytes, dtype: str, dim: int, entries: int, vectors: int, builds: Sequence[int]
    ) -> Copy:
        """A new file with room for so many entries and vectors, not yet published. Raises OSError.

        builds: of the attention indexes that prove it, for those who look for their copy.
        """
        sums = (2, 0, 0)
        if dtype != "float32":
            sums, vectors = (2, codes.number_of_levels(dtype), dim), codes.room(vectors)
        sections = (
            Section("builds", "<u8", (len(builds),), mutable=True),
            Section("tids", "<i8", (entries,), mutable=True),
            Section("versions", "<i8", (entries,), mutable=True),
            Section("slots", "<i8", (entries,), mutable=True),
            Section("residual_sums", "<f8", sums, mutable=True),
            Section("ids", "<i8", (vectors,)),
            *(Section(part, kind, (vectors, *shape)) for part, kind, shape in _layout(dtype, dim)),
        )
        copy = Copy(MatrixFile.create(name, identity, sections))
        copy.file.store(BUILT, int(time.time() * 1e6))
        copy.file.arrays["builds"][:] = builds
        return copy

    @property
    def keys(self) -> np.ndarray:
        """The vectors float32 (v, d), of a copy that holds them."""
        return self.vectors_as["keys"]

    @property
    def dtype(self) -> str:
        """What the vectors are held in: float32, float16 or int8."""
        return "float32" if "keys" in self.vectors_as else self.vectors_as[codes.CODES].dtype.name

    @property
    def dim(self) -> int:
        """The dimensions of the vectors."""
        matrix = self.vectors_as["keys" if self.dtype == "float32" else codes.CODES]
        return int(matrix.shape[1])

    @property
    def entries(self) -> int:
        """How many entries there are by now."""
        return self.file.load(ENTRIES)

    @property
    def vectors(self) -> int:
        """How many vectors there are by now."""
        return self.file.load(VECTORS)

    @staticmethod
    def size(dtype: str, dim: int, entries: int, vectors: int) -> int:
        """About how many bytes a file of this shape has."""
        row = sum(np.dtype(kind).itemsize * math.prod(shape) for _, kind, shape in _layout(dtype, dim))
        return 24 * entries + (row + 8) * vectors

    def has_room(self, entries: int, vectors: int) -> bool:
        """Whether so many entries and vectors can be added."""
        return self.entries + entries <= len(self.tids) and self.vectors + vectors <= len(self.ids)

    def blocks(self, leaves: int) -> np.ndarray | None:
        """How many first blocks uint32 of each leaf hold all rows, None while one has not been read."""
        state = (self.entries, self.file.load(EPOCHS))
        if self._blocks is None or self._blocks[0] != state:
            tids, slots = self.tids[: state[0]], self.slots[: state[0]]
            if ((slots == ABSENT) & (tids != 0)).any():
                return None
            self._blocks = (state, _blocks(tids, leaves))
        return self._blocks[1]

    def settled(self) -> Settled:
        """What is seen of the copy if all the blocks are that `blocks` has just given.

        Others may have added rows since, which who looked at the blocks does not see.
        """
        assert self._blocks is not None
        state = self._blocks[0]
        if self._settled is None or self._settled[0] != state:
            slots = self.slots[: state[0]][self.tids[: state[0]] != 0]
            self._settled = (state, Settled(slots[slots >= 0].astype(np.int32), int((slots < 0).sum())))
        return self._settled[1]

    def entries_of(self, slots: np.ndarray) -> np.ndarray:
        """The entries (n,) of the vectors with these slots (n,), each of which an entry has by now."""
        if self._entry_of is None or (self._entry_of[slots] < 0).any():
            known = self.slots[: self.entries]
            with_vector = np.flatnonzero(known >= 0)
            self._entry_of = np.full(len(self.ids), -1, np.int32)
            self._entry_of[known[with_vector]] = with_vector
        entries: np.ndarray = self._entry_of[slots]
        return entries

    def forget(self) -> None:
        """Give up what can be had from the file again."""
        self._settled = self._entry_of = None
        self._tail = NO_ENTRIES

    def find(self, tids: np.ndarray, versions: np.ndarray, likely: np.ndarray | None = None) -> np.ndarray:
        """The entries int32 (n,) of row versions at addresses (n,); -1 for those that are not here.

        likely: entries that are returned where they are these, which is faster to see than to find.
        """
        count = self.entries
        same = len(tids) == count and np.array_equal(self.tids[:count], tids)
        if same and np.array_equal(self.versions[:count], versions):
            return np.arange(count, dtype=np.int32)
        if likely is not None and self._are(likely, tids, versions):
            return likely
        first = self.file.load(SORTED)
        base = EntriesByAddress(self.tids[:first], self.versions[:first], 0, is_sorted=True)
        entries = base.find(tids, versions)
        missing = np.flatnonzero(entries < 0)
        if len(missing) and count > first:
            if len(self._tail) != count - first:
                self._tail = EntriesByAddress(self.tids[first:count], self.versions[first:count], first)
            entries[missing] = self._tail.find(tids[missing], versions[missing])
        return entries

    def _are(self, entries: np.ndarray, tids: np.ndarray, versions: np.ndarray) -> bool:
        """Whether these entries (n,) stand for these row versions (n,)."""
        if len(entries) != len(tids):
            return False
        return all(
            np.array_equal(self.tids[entries[part]], tids[part])
            and np.array_equal(self.versions[entries[part]], versions[part])
            for part in spans(len(entries), 32)
        )

    def write_vectors(self, chunk: Chunk, first: int) -> tuple[np.ndarray, codes.ResidualSum | None]:
        """Write the vectors of a chunk from index `first` on.

        Returns the slots (n,) of its rows, and what codes leave of them, None where there are none.
        """
        slots = np.where(chunk.is_null, NULL, ABSENT).astype(np.int64)
        rows = slice(first, first + len(chunk.vectors))
        slots[chunk.is_row] = np.arange(rows.start, rows.stop)
        left = None
        if len(chunk.vectors):
            if self.dtype == "float32":
                self.keys[rows] = chunk.vectors
            else:
                left = codes.write(self.vectors_as, first, chunk.vectors)
            if chunk.ids is not None:
                self.ids[rows] = chunk.ids
        return slots, left

    def sum_up(self, left: codes.ResidualSum | None, first: int) -> None:
        """Add what codes leave of rows, counted in from index `first` on, to the sum of it.

        Where a count was interrupted the sum ends, since it is of the first rows, all of them.
        """
        residuals = self.residuals()
        if left is not None and residuals.rows == first:
            self._keep(residuals + left)

    def residuals(self) -> codes.ResidualSum:
        """The sum of what the codes leave of the first rows."""
        while True:
            state = self.file.load(RESIDUALS)
            vectors = self.file.arrays["residual_sums"][state & 1].copy()
            if self.file.load(RESIDUALS) == state:
                return codes.ResidualSum(state >> 1, vectors)

    def _keep(self, residuals: codes.ResidualSum) -> None:
        """Write the sum where nobody reads it now, and then say so."""
        other = self.file.load(RESIDUALS) & 1 ^ 1
        self.file.arrays["residual_sums"][other] = residuals.vectors
        self.file.store(RESIDUALS, residuals.rows << 1 | other)

    def add(self, tids: np.ndarray, versions: np.ndarray, chunk: Chunk) -> None:
        """Add entries (n,) with what was read of them. Only under the lock of the file."""
        start, first = self.entries, self.vectors
        slots, _ = self.write_vectors(chunk, first)
        self.seal(first, first + len(chunk.vectors))
        end = start + len(tids)
        self.tids[start:end], self.versions[start:end], self.slots[start:end] = tids, versions, slots
        self.file.store(ENTRIES, end)

    def sign(self) -> None:
        """Vouch for counters and entries as they are. Only under the lock of the file."""
        self.file.store(SIGNATURE, self._checksum())

    def is_sound(self) -> bool:
        """Whether all checksums hold. Only under the lock of the file: who writes signs at the end."""
        if not 0 <= self.entries <= len(self.tids) or not 0 <= self.vectors <= len(self.ids):
            return False
        return self.file.load(SIGNATURE) == self._checksum() and self.file.verify(self.vectors)

    def _checksum(self) -> int:
        count = self.entries
        counters = np.array([self.file.load(slot) for slot in range(SIGNATURE)])
        entries = (self.tids[:count], self.versions[:count], self.slots[:count])
        return host_api.crc32c(counters, self.file.arrays["residual_sums"], *entries)

    def seal(self, first: int, end: int) -> None:
        """Count the vectors from `first` to `end` in."""
        self.file.add_checksums(first, end)
        self.file.store(VECTORS, end)


def _layout(dtype: str, dim: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of a row of each section that the vectors are held in."""
    single: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = [("keys", np.dtype(np.float32), (dim,))]
    return single if dtype == "float32" else codes.layout(dtype, dim)


def _blocks(tids: np.ndarray, leaves: int) -> np.ndarray:
    """How many first blocks of each leaf hold all these addresses, of which those of 0 are none."""
    if leaves == 1:
        return np.array([(tids.max(initial=-1) >> 16) + 1], np.uint32)
    numbers, blocks = tids >> 48, np.zeros(leaves, np.uint32)
    for leaf in range(leaves):
        blocks[leaf] = (tids[(numbers == leaf) & (tids != 0)] >> 16 & 0xFFFFFFFF).max(initial=-1) + 1
    return blocks
