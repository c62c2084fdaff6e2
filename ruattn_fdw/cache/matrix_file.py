"""One matrix file, mapped into memory."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache import file_format, folder
from ruattn_fdw.cache.file_format import CHUNK_ROWS, FOOTER, HEADER_SIZE, Layout, Section
from ruattn_fdw.host_protocol import FileMapping

ALLOCATED_AT_ONCE = 16 * 1024 * 1024
TOUCHED_EVERY = 1.0
_OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# what opening something else than a regular file of ours may fail with
_NOT_OURS = {errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EISDIR, errno.ENXIO, errno.ENODEV}


class MatrixFile:
    """A mapped file: an immutable header with the identity it was built from, 64 slots, and named arrays.

    `arrays` are on the file's own bytes, and keep it mapped while any of them is alive, closed or not. A file
    that shrinks meanwhile reads as zeros: `damaged` says so, and must be asked after any use of the arrays.
    """

    def __init__(
        self, path: str, name: str, identity: bytes, layout: Layout, fd: int, writable: bool
    ) -> None:
        """Map an open file of that layout; `path` is where it lies now."""
        status = os.fstat(fd)
        self.name, self.identity, self.size = name, identity, layout.size
        self._path, self._layout, self._footer = path, layout, layout.footer
        self._inode = (status.st_dev, status.st_ino)
        self._touched = 0.0
        self._builder: int | None = None
        self._mapping: FileMapping | None = host_api.map_file(fd, layout.size, writable)
        self.arrays: Mapping[str, np.ndarray[Any, Any]] = dict(layout.arrays(self._mapping))

    @classmethod
    def create(cls, name: str, identity: bytes, sections: Sequence[Section]) -> MatrixFile:
        """A new file full of zeros that nobody else can open before `publish`.

        OSError where the disk is full, the file system read-only, or the folder forbidden.
        """
        layout = file_format.lay_out(sections)
        file_format.pack_header(identity, layout)
        path = folder.temporary_path_of(name)
        folder.make_folder()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS, 0o600)
        try:
            os.fchmod(fd, 0o600)
            _allocate(fd, layout.size)
            file = cls(path, name, identity, layout, fd, writable=True)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        file._builder = os.getpid()
        file._prepare()
        file._memory.store(layout.footer, FOOTER)
        return file

    @classmethod
    def open(cls, name: str, identity: bytes | None, writable: bool = False) -> MatrixFile | None:
        """The published file of that name, or None where there is none that is ours, whole and of `identity`.

        An identity of None accepts any. OSError where the file cannot be mapped.
        """
        path = folder.path_of(name)
        try:
            fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | _OPEN_FLAGS)
        except OSError as error:
            if error.errno in _NOT_OURS:
                return None
            raise
        try:
            found = _read_header(fd)
            if found is None or identity not in (None, found[0]):
                return None
            file = cls(path, name, *found, fd, writable)
        finally:
            os.close(fd)
        return None if file.damaged else file

    def _prepare(self) -> None:
        for start in range(0, self.size, ALLOCATED_AT_ONCE):
            host_api.check_interrupts()
            self._memory.prepare(start, min(ALLOCATED_AT_ONCE, self.size - start))

    def publish(self) -> None:
        """Let others open the file, in place of the one that had its name."""
        if self._builder is None:
            raise ValueError("the file is published already")
        memory: Any = self._memory
        memoryview(memory)[:HEADER_SIZE] = file_format.pack_header(self.identity, self._layout)
        path = folder.path_of(self.name)
        os.rename(self._path, path)
        self._path, self._builder = path, None
        self.touch()

    def load(self, slot: int) -> int:
        """A slot's value, a signed 64-bit number; what was written before it was stored is visible."""
        return self._memory.load(self._layout.slot(slot))

    def store(self, slot: int, value: int) -> None:
        """Set a slot, after all that was written before; ValueError where the file is open for reading."""
        self._memory.store(self._layout.slot(slot), value)

    def add_checksums(self, first: int, last: int) -> None:
        """Cover rows first to last - 1, which are final, as all before them in their chunks are.

        Only one process at a time may do so. Long, so that it may be cancelled.
        """
        if not 0 <= first <= last <= self._layout.rows:
            raise ValueError(f"no rows {first} to {last} of {self._layout.rows}")
        for start in range(first - first % CHUNK_ROWS, last, CHUNK_ROWS):
            host_api.check_interrupts()
            stop = min(start + CHUNK_ROWS, last)
            word = self._checksum(start, stop) << 32 | (stop - start)
            self._memory.store(self._layout.checksum(start // CHUNK_ROWS), _signed(word))

    def verify(self, rows: int) -> bool:
        """Whether there are `rows` rows, all covered by checksums that they agree with."""
        if rows > self._layout.rows:
            return False
        for start in range(0, rows, CHUNK_ROWS):
            host_api.check_interrupts()
            word = self._memory.load(self._layout.checksum(start // CHUNK_ROWS)) & (2**64 - 1)
            stop = start + (word & 0xFFFFFFFF)
            if not min(start + CHUNK_ROWS, rows) <= stop <= min(start + CHUNK_ROWS, self._layout.rows):
                return False
            if self._checksum(start, stop) != word >> 32:
                return False
        return not self.damaged

    @property
    def damaged(self) -> bool:
        """Whether the file was ever too short since it was mapped: what was read from it may be zeros."""
        memory = self._memory
        return memory.load(self._footer) != FOOTER or memory.damaged

    def is_current(self) -> bool:
        """Whether the file's name still leads to it, in its full size."""
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode and status.st_size == self.size

    def is_same(self, other: MatrixFile) -> bool:
        """Whether both map the same file."""
        return self._inode == other._inode

    def touch(self) -> None:
        """Count the file as used now, at most once a second."""
        now = time.monotonic()
        if now - self._touched < TOUCHED_EVERY:
            return
        self._touched = now
        with contextlib.suppress(OSError):
            os.utime(self._path, follow_symlinks=False)

    def close(self) -> None:
        """Let go of the memory, which stays while arrays on it live; remove a file never published."""
        self.arrays, self._mapping = {}, None
        if self._builder == os.getpid():
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self._builder = None

    def __del__(self) -> None:
        if getattr(self, "_builder", None) is not None:
            self.close()

    @property
    def _memory(self) -> FileMapping:
        if self._mapping is None:
            raise ValueError("the file is closed")
        return self._mapping

    def _checksum(self, start: int, stop: int) -> int:
        covered = [section.name for section in self._layout.sections if not section.mutable]
        return host_api.crc32c(*(self.arrays[name][start:stop] for name in covered))


def _allocate(fd: int, size: int) -> None:
    """Give the file all its blocks, in pieces between which a cancel takes effect."""
    for start in range(0, size, ALLOCATED_AT_ONCE):
        host_api.check_interrupts()
        os.posix_fallocate(fd, start, min(ALLOCATED_AT_ONCE, size - start))


def _read_header(fd: int) -> tuple[bytes, Layout] | None:
    """Identity and layout of a file that only we can have written, or None."""
    status = os.fstat(fd)
    found = file_format.unpack_header(os.pread(fd, HEADER_SIZE, 0)) if folder.is_ours(status) else None
    return found if found is not None and found[1].size == status.st_size else None


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
