"""Rows whose keys a copy holds in fewer bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ruattn_fdw.cache.copy import Copy
from ruattn_fdw.cache.reader import Reader
from ruattn_fdw.kernels.approximate.codes import Level, first_rows, levels
from ruattn_fdw.kernels.approximate.estimate import TooManyError
from ruattn_fdw.kernels.ids import Ids, SomeIds
from ruattn_fdw.source.ids import WithIds


@dataclass(frozen=True)
class CodedRows(WithIds):
    """Ids int64 (n,), and the codes of their keys: the rows `present` (n,) of those stored, None for all.

    precisions: as `kernels.approximate` takes them. exact reads the keys themselves.
    """

    ids: Ids
    present: np.ndarray | None
    precisions: list[Level]
    exact: ExactKeys
    width: int
    skipped: int

    def shown_ids(self, rows: np.ndarray) -> np.ndarray:
        """The ids of these rows as a result column."""
        shown: np.ndarray = self.ids[rows]
        return shown


class ExactKeys:
    """The keys of rows that the snapshot sees, read from their table, which cannot lose them meanwhile."""

    def __init__(self, copy: Copy, reader: Reader) -> None:
        self._copy, self._reader = copy, reader

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Float32 keys (c, d) by stored row (c,)."""
        if not len(stored):
            return np.empty((0, self._copy.dim), np.float32)
        chunk = self._reader.read(self._copy.tids[self._copy.entries_of(stored)])
        if len(chunk.vectors) != len(stored):
            raise TooManyError("rows changed by whoever asks")
        return chunk.vectors


def ascending(slots: np.ndarray) -> np.ndarray:
    """The slots (n,) in order: the same array where they are."""
    return np.sort(slots) if (slots[1:] < slots[:-1]).any() else slots


def coded_rows(copy: Copy, slots: np.ndarray, skipped: int, reader: Reader) -> CodedRows:
    """The rows whose codes have these slots, in the order in which they lie there."""
    slots, residuals = ascending(slots), copy.residuals()
    count = len(slots)
    # the sum may be of rows that are not seen
    whole = bool(count) and slots[-1] == count - 1 and residuals.rows <= count
    return CodedRows(
        copy.ids[:count] if whole else SomeIds(copy.ids, slots),
        None if whole else slots,
        levels(first_rows(copy.vectors_as, count if whole else copy.vectors), residuals),
        ExactKeys(copy, reader),
        copy.dim,
        skipped,
    )
