"""The copies that this backend has mapped, and what it last proved of each."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.coded import CodedRows
from ruattn_fdw.cache.copy import Copy
from ruattn_fdw.source.rows import Rows

MOST = 16
"""Files that one backend keeps mapped."""


@dataclass(frozen=True)
class Kept:
    """A mapped copy, and the rows that `snapshot`, where it is not empty, or one equal to it, sees of it.

    found: what the rows are made of: slots of a copy proved by indexes, entries of one by row versions.
    """

    copy: Copy
    snapshot: bytes
    rows: Rows | CodedRows
    found: np.ndarray

    def rows_under(self, snapshot: bytes) -> Rows | CodedRows | None:
        """The rows that a snapshot sees, where that is known."""
        return self.rows if snapshot and snapshot == self.snapshot else None

    def is_of(self, copy: Copy, found: np.ndarray, skipped: int) -> bool:
        """Whether the rows are those that this makes of a copy."""
        if self.copy is not copy or self.rows.skipped != skipped:
            return False
        return self.found is found or np.array_equal(self.found, found)


class KeptCopies:
    """Copies by the names of their files, the least recently used given up first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._complaints: set[str] = set()
        self._hits: Counter[str] = Counter()

    def get(self, name: str, identity: bytes) -> Kept | None:
        """The copy of that name, if it has that identity and its file is still in place."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        file = kept.copy.file
        if file.identity != identity or not file.is_current() or file.damaged:
            del self._kept[name]
            return None
        self._kept.move_to_end(name)
        file.touch()
        return kept

    def put(self, name: str, kept: Kept) -> None:
        """Keep a copy in place of what was kept under that name."""
        self._kept[name] = kept
        self._kept.move_to_end(name)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def count_hit(self, name: str) -> None:
        """Count a search that found the copy of that name as it needed it."""
        self._hits[name] += 1

    def hits(self, name: str) -> int:
        """How many searches there were of that kind."""
        return self._hits[name]

    def complain(self, error: OSError) -> None:
        """Tell the client once why no file can be kept."""
        cause = error.strerror or str(error)
        if cause not in self._complaints:
            self._complaints.add(cause)
            host_api.warning(
                f"copies of vector columns cannot be kept: {cause}",
                hint="Searches read their source every time, which is slower.",
            )


KEPT = KeptCopies()
