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

MOST_ROWS = 65536
"""Rows of which one backend keeps more than files, some 8 bytes a row, beside those of the last search."""


@dataclass(frozen=True)
class Kept:
    """A mapped copy, and the rows that `snapshot`, where it is not empty, or one equal to it, sees of it.

    found: what the rows are made of: slots of a copy proved by indexes, entries of one by row versions.
    Rows and found are None where they were given up.
    """

    copy: Copy
    snapshot: bytes
    rows: Rows | CodedRows | None
    found: np.ndarray | None

    def rows_under(self, snapshot: bytes) -> Rows | CodedRows | None:
        """The rows that a snapshot sees, where that is known."""
        return self.rows if snapshot and snapshot == self.snapshot else None

    def rows_of(self, copy: Copy, found: np.ndarray, skipped: int) -> Rows | CodedRows | None:
        """The rows, where they are those that this makes of a copy."""
        if self.rows is None or self.found is None or self.copy is not copy or self.rows.skipped != skipped:
            return None
        return self.rows if self.found is found or np.array_equal(self.found, found) else None

    def mapped_only(self) -> Kept:
        """The copy alone: what was made of it is given up."""
        self.copy.forget()
        return Kept(self.copy, b"", None, None)


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
        self._give_up_rows()

    def _give_up_rows(self) -> None:
        """Keep the rows of the copy that was used last, and of those used before as far as they are few."""
        last, *before = reversed(self._kept.items())
        rows = _rows(last[1])
        for name, kept in before:
            rows += _rows(kept)
            if rows > MOST_ROWS and kept.found is not None:
                self._kept[name] = kept.mapped_only()

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


def _rows(kept: Kept) -> int:
    return 0 if kept.found is None else len(kept.found)


KEPT = KeptCopies()
