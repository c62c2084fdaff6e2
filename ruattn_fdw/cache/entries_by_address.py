"""Entries of a copy by the addresses of their row versions, to look many up."""

from __future__ import annotations

import numpy as np

PART = 4096
"""Row versions that are looked up at once, as that takes several times the memory of what is found."""


class EntriesByAddress:
    """Entries in the order of their addresses, for look-ups; `offset` is the index of the first."""

    def __init__(
        self, tids: np.ndarray, versions: np.ndarray, offset: int, *, is_sorted: bool = False
    ) -> None:
        self._order = None if is_sorted else np.argsort(tids, kind="stable")
        self._tids = tids if self._order is None else tids[self._order]
        self._versions = versions if self._order is None else versions[self._order]
        self._offset = offset

    def __len__(self) -> int:
        return len(self._tids)

    def find(self, tids: np.ndarray, versions: np.ndarray) -> np.ndarray:
        """The entries int32 (n,) at these addresses (n,) with these versions, -1 where there is none."""
        entries = np.full(len(tids), -1, np.int32)
        for start in range(0, len(tids), PART):
            part = slice(start, start + PART)
            self._find(tids[part], versions[part], entries[part])
        return entries

    def _find(self, tids: np.ndarray, versions: np.ndarray, entries: np.ndarray) -> None:
        """Write what is found into entries (n,)."""
        places = np.searchsorted(self._tids, tids)
        looked = np.arange(len(tids))
        while len(looked):
            at = places[looked]
            looked = looked[at < len(self._tids)]
            at = places[looked]
            same = self._tids[at] == tids[looked]
            looked, at = looked[same], at[same]
            hit = self._versions[at] == versions[looked]
            found = at[hit] if self._order is None else self._order[at[hit]]
            entries[looked[hit]] = found + self._offset
            looked = looked[~hit]
            places[looked] += 1


NO_ENTRIES = EntriesByAddress(np.empty(0, np.int64), np.empty(0, np.int64), 0)
