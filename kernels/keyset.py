"""Keys that are some of the rows of an array, read without a copy of them all."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from .arrays import F32, Present, Rows

_MOSTLY = 1.25
"""How many rows may be scored for each that is present, before the present ones are copied out instead."""


class KeySet:
    """Keys (n, d) float32: the rows `present` (n,) of `stored` (m, d), in ascending order, or all of them.

    The other rows count as if they were not there, whatever they hold.
    """

    ndim = 2

    def __init__(self, stored: F32, present: Present | None = None) -> None:
        self.stored, self.present = stored, present
        self._copied: Callable[[], F32 | None] = lambda: None

    def __len__(self) -> int:
        return len(self.stored if self.present is None else self.present)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return len(self), self.stored.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that `dense` takes."""
        return len(self) * int(self.stored.shape[1]) * self.stored.itemsize

    def __getitem__(self, rows: Rows | slice | int) -> F32:
        """The keys at these indexes: a view where they lie together."""
        if self.present is None:
            part: F32 = self.stored[rows]
            return part
        places = self.present[rows]
        if isinstance(rows, slice) and len(places) and places[-1] - places[0] == len(places) - 1:
            return self.stored[places[0] : places[-1] + 1]
        chosen: F32 = self.stored[places]
        return chosen

    @property
    def owner(self) -> F32 | KeySet:
        """What is there for as long as these keys are: their array, or the set where it is of some rows."""
        return self.stored if self.present is None else self

    def dense(self) -> F32:
        """All keys in one array: a copy where rows are absent, shared by all who use it at a time."""
        if self.present is None:
            return self.stored
        copied = self._copied()
        if copied is None:
            copied = self.stored[self.present]
            self._copied = weakref.ref(copied)
        return copied

    def around(self, span: slice) -> tuple[F32, Present] | None:
        """(stored rows that lie together, where the keys of a slice are there); None for too many others."""
        if self.present is None:
            return None
        places = self.present[span]
        width = int(places[-1] - places[0]) + 1
        if width == len(places) or width > _MOSTLY * len(places):
            return None
        return self.stored[places[0] : places[0] + width], places - places[0]


def as_keyset(keys: F32 | KeySet) -> KeySet:
    """The keys as a set, all of an array's rows where they are one."""
    return keys if isinstance(keys, KeySet) else KeySet(keys)
