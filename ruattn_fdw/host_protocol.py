"""What a host offers to `host_api`, which says what the answers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class FileMapping(Protocol):
    """A file mapped into memory. It offers a buffer and stays mapped while that is in use."""

    @property
    def damaged(self) -> bool:
        """Whether zeros stand for pages that the file has lost."""

    def load(self, offset: int) -> int:
        """The signed 64-bit word at a byte offset, with acquire semantics."""

    def prepare(self, offset: int, size: int) -> None:
        """Make whole pages ready to be written, faster than by their faults."""

    def store(self, offset: int, value: int) -> None:
        """Set that word, with release semantics; ValueError where the file is mapped for reading only."""


class Host(Protocol):
    """The functions that a host offers."""

    @property
    def VERSION(self) -> str:  # noqa: N802
        """The version that it was compiled for."""

    @property
    def LIBRARIES(self) -> str:  # noqa: N802
        """The folder of the server's libraries."""

    def relation(self, name: str) -> Any:
        """A relation of this name, or None."""

    def columns(self, oid: int) -> Any:
        """The columns of a relation."""

    def primary_key(self, oid: int) -> str | None:
        """The column of a single-column primary key."""

    @property
    def PostgresError(self) -> type[Exception]:  # noqa: N802
        """What an error of PostgreSQL is under Python, with `sqlstate` and `context`."""

    def select(
        self, sql: str, kinds: Sequence[str], label: str, args: Sequence[object], explain: bool = False
    ) -> Any:
        """The result of a read-only SELECT, or of its EXPLAIN."""

    def caller(self) -> tuple[int, int]:
        """The database and the role in effect."""

    def source(self, oid: int, columns: Sequence[str]) -> Any:
        """What a source consists of, after a check of the caller's privileges."""

    def snapshot(self) -> bytes:
        """The snapshot in full; nothing where it proves nothing."""

    def heap_keys(self, leaves: bytes) -> Any:
        """The row versions that the snapshot sees."""

    def view_keys(self, oid: int, vector_column: str) -> Any:
        """The row versions that a view shows."""

    def fetch(
        self, leaves: bytes, tids: Any, names: Sequence[str], kinds: Sequence[str], label: str, follow: bool
    ) -> Any:
        """Rows by their addresses."""

    def indexes(self, oid: int, vector_column: str, id_column: str | None) -> Any:
        """The attention indexes on a column."""

    def index_version(self, oid: int) -> Any:
        """The state of an attention index."""

    def index_entries(self, oid: int, leaf: int, known: Any) -> Any:
        """The entries of an attention index beyond those known."""

    def index_seen(self, leaves: bytes, tids: Any, slots: Any) -> Any:
        """Which entries the snapshot sees."""

    def all_visible(self, leaves: bytes, blocks: Any) -> bool:
        """Whether everybody sees all rows of the first blocks of the leaves."""

    def lock(self, key: int, wait: bool) -> bool:
        """Take a lock between backends."""

    def unlock(self, key: int) -> None:
        """Give it back."""

    def check_interrupts(self) -> None:
        """Raise if a cancel is pending."""

    def interrupted(self) -> bool:
        """Whether one is."""

    def setting(self, name: str) -> int | str:
        """The value of a setting."""

    def notice(
        self, message: str, detail: str | None = None, hint: str | None = None, warning: bool = False
    ) -> None:
        """Tell the client something."""

    def map_file(self, fd: int, size: int, writable: bool) -> FileMapping:
        """An open file in memory."""

    def crc32c(self, *buffers: Any) -> int:
        """The checksum of all their bytes."""

    def give_back_memory(self) -> None:
        """Let the system have what was freed."""
