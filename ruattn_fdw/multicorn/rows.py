"""Rows in COPY's binary format as columns, each of a kind that `host_api.select` is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.multicorn.vectors import NULL_NOT_ALLOWED, Fault, VectorColumn, VectorSetColumn, block, int32

NULL = -1
TEXT = "::pg_catalog.text"
CASTS = {"id": "::pg_catalog.int8", "text": TEXT, "text id": TEXT, "float": f"{TEXT}::pg_catalog.float8"}
IDS = ("id", "text id")
VECTORS = ("vector", "vectors")


class Fields(NamedTuple):
    """One field of several rows: where each value begins in the data, and its length, -1 for NULL."""

    starts: np.ndarray
    lengths: np.ndarray


class Column(Protocol):
    """A column that grows."""

    @property
    def size(self) -> int:
        """Bytes held."""

    def append(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        """Add values; what is wrong with the first that cannot be added."""

    def result(self) -> Any:
        """The column as `host_api.select` gives it."""


class NumberColumn:
    """A number of eight bytes in each row; `missing` stands for NULL."""

    def __init__(self, dtype: str, missing: float) -> None:
        self._dtype, self._missing = np.dtype(dtype), missing
        self._parts: list[np.ndarray] = []

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(part.nbytes for part in self._parts)

    def append(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        """Add values."""
        numbers = np.full(len(starts), self._missing, self._dtype)
        known = lengths != NULL
        numbers[known] = block(data, starts[known], 8).view(self._dtype.newbyteorder(">"))[:, 0]
        self._parts.append(numbers)
        return None

    def result(self) -> np.ndarray:
        """The numbers (n,)."""
        return np.concatenate(self._parts) if self._parts else np.empty(0, self._dtype)


class TextColumn:
    """A text in each row, or None."""

    def __init__(self) -> None:
        self._texts: list[str | None] = []
        self.size = 0

    def append(self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Fault | None:
        """Add values."""
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            known = length != NULL
            self._texts.append(data[start : start + length].tobytes().decode() if known else None)
        self.size += int(lengths.clip(min=0).sum())
        return None

    def result(self) -> list[str | None]:
        """The texts."""
        return self._texts


COLUMNS: dict[str, Callable[[], Column]] = {
    "id": lambda: NumberColumn("i8", 0),
    "text id": TextColumn,
    "vector": VectorColumn,
    "vectors": VectorSetColumn,
    "float": lambda: NumberColumn("f8", np.nan),
    "text": TextColumn,
}


def in_copys_format(sql: str, kinds: Sequence[str]) -> str:
    """The SELECT with its columns in the types that `Columns` reads."""
    names = [f"c{place}" for place in range(len(kinds))]
    listed = ", ".join(f"{name}{CASTS.get(kind, '')}" for name, kind in zip(names, kinds, strict=True))
    return f"SELECT {listed} FROM ({sql}) AS s ({', '.join(names)})"


class Columns:
    """Columns of these kinds; rows whose vector is NULL are left out and counted.

    label: how messages name the column of the vectors.
    """

    def __init__(self, kinds: Sequence[str], label: str) -> None:
        self._label = label
        self._columns = [COLUMNS[kind]() for kind in kinds]
        self._vectors = [place for place, kind in enumerate(kinds) if kind in VECTORS]
        self._ids = [place for place, kind in enumerate(kinds) if kind in IDS]
        self.rows = self.skipped = 0

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(column.size for column in self._columns)

    def add(self, rows: Sequence[bytes]) -> None:
        """Add rows; AttentionError for a vector that is none, and for an id that is NULL."""
        data = np.frombuffer(b"".join(rows), np.uint8)
        fields = self._fields(data, np.cumsum([0, *map(len, rows[:-1])]))
        kept = np.ones(len(rows), bool)
        for place in self._vectors:
            kept &= fields[place].lengths != NULL
        self.skipped += len(rows) - int(kept.sum())
        if kept.any():
            self._append(data, [Fields(starts[kept], lengths[kept]) for starts, lengths in fields])

    def results(self) -> list[Any]:
        """The columns as `host_api.select` gives them."""
        return [column.result() for column in self._columns]

    def _fields(self, data: np.ndarray, rows: np.ndarray) -> list[Fields]:
        """The fields of rows that begin at these places, with the number of their fields."""
        at, found = rows + 2, []
        for _ in self._columns:
            lengths = int32(data, at)
            found.append(Fields(at + 4, lengths))
            at = at + 4 + lengths.clip(min=0)
        return found

    def _append(self, data: np.ndarray, fields: Sequence[Fields]) -> None:
        # ids first: what is wrong with a vector is told with the id of its row
        order = sorted(range(len(fields)), key=lambda place: place not in self._ids)
        for place in order:
            if place in self._ids:
                self._check_ids(fields[place])
            fault = self._columns[place].append(data, *fields[place])
            if fault is not None:
                raise AttentionError(
                    f"{self._label} of {self._name(fault.row)} {fault.what}",
                    sqlstate=fault.sqlstate,
                    hint=fault.hint,
                )
        self.rows += len(fields[0].starts)

    def _check_ids(self, ids: Fields) -> None:
        missing = np.flatnonzero(ids.lengths == NULL)
        if len(missing):
            raise AttentionError(
                f"the id of row {self.rows + missing[0] + 1} of {self._label} is NULL",
                sqlstate=NULL_NOT_ALLOWED,
                hint="Leave such rows out with a view, or name another id_column.",
            )

    def _name(self, row: int) -> str:
        """How a message names a row of the chunk that is being added."""
        if not self._ids:
            return f"row {self.rows + row + 1}"
        return f"the row with id {self._columns[self._ids[0]].result()[self.rows + row]}"
