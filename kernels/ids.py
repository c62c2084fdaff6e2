"""The ids of keys that are some of the rows of an array, looked up for those that are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Present, Rows


class SomeIds:
    """Ids int64 (n,): those of the rows `present` (n,) of `stored` (m,)."""

    def __init__(self, stored: npt.NDArray[np.int64], present: Present) -> None:
        self._stored, self._present = stored, present

    def __len__(self) -> int:
        return len(self._present)

    def __getitem__(self, rows: Rows | slice | int) -> Any:
        """The id of a key at an index, or those (c,) at several; all of them with `[:]`."""
        return self._stored[self._present[rows]]


Ids = npt.NDArray[np.int64] | SomeIds
