"""The ids of keys that are some of the rows of an array, looked up for those that are asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Present, Rows


class SomeIds:
    """Ids int64 (n,): those of the rows `present` (n,) of `stored` (m,)."""

    def __init__(self, stored: npt.NDArray[np.int64], present: Present) -> None:
        self._stored, self._present = stored, present

    def __len__(self) -> int:
        return len(self._present)

    def __getitem__(self, rows: Rows | slice) -> npt.NDArray[np.int64]:
        """The ids of the keys at these indexes, all of them with `[:]`."""
        ids: npt.NDArray[np.int64] = self._stored[self._present[rows]]
        return ids


Ids = npt.NDArray[np.int64] | SomeIds
