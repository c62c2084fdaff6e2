"""Rows of a source by their addresses, as they go into a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.source.relation import Source

_UNSEEN, _ROW, _NULL = range(3)

ROWS = 4096
"""Rows of a chunk: what is held outside of the file while it is written."""


class OtherWidthError(Exception):
    """Vectors of different widths: only reading them all in their order gives the right error, or none."""


@dataclass(frozen=True)
class Chunk:
    """What was read at n addresses: of each whether the snapshot sees a row, and whether its vector is NULL.

    vectors float32 (r, d) and ids int64 (r,) of the rows with a vector; no ids where they are no integers.
    """

    is_row: np.ndarray
    is_null: np.ndarray
    vectors: np.ndarray
    ids: np.ndarray | None

    def __len__(self) -> int:
        return len(self.is_row)

    def check_width(self, dim: int) -> None:
        """Raise OtherWidthError unless the vectors have this many dimensions."""
        if len(self.vectors) and self.vectors.shape[1] != dim:
            raise OtherWidthError


class Reader:
    """Reads rows of the leaves of a source, whose columns the caller may read."""

    def __init__(self, source: Source, leaves: bytes, *, follow: bool) -> None:
        """follow: addresses are those of HOT chains, as in an index."""
        self._source, self._leaves, self._follow = source, leaves, follow
        # other ids than integers are read for messages that name a row
        self._kinds = ("id" if source.id_type is None else "text id", "vector")

    def read(self, tids: np.ndarray) -> Chunk:
        """The rows at these addresses (n,)."""
        tids = np.ascontiguousarray(tids, np.int64)
        names = (self._source.id_column, self._source.vector_column)
        found, columns = host_api.fetch(
            self._leaves, tids, names, self._kinds, self._source.label, self._follow
        )
        found = np.asarray(found)
        ids = np.asarray(columns[0]) if self._source.id_type is None else None
        vectors = np.asarray(columns[1])
        return Chunk(found == _ROW, found == _NULL, vectors, ids)

    def advise_vacuum(self, rows: int) -> None:
        """Tell the client that every search looks up so many rows of the source."""
        name = f"{self._source.schema}.{self._source.name}"
        host_api.notice(
            f"every search of {name} looks up {rows} rows, whose pages are not marked all-visible",
            hint=f"Run VACUUM {name}.",
        )

    def chunks(self, tids: np.ndarray) -> Iterator[tuple[slice, Chunk]]:
        """All rows at these addresses (n,), by chunks with their place."""
        for start in range(0, len(tids), ROWS):
            part = slice(start, min(start + ROWS, len(tids)))
            yield part, self.read(tids[part])
