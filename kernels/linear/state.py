"""The state of a kernel mechanism: sums over the keys that answer any query without the keys themselves."""

from __future__ import annotations

import numpy as np

from ..arrays import F64, Floats, by_heads
from ..batch import Settings


class KernelState:
    """S = sum phi(k) v^T and z = sum phi(k) of the keys added so far, less those removed; float64.

    sums (H, f, w), totals (H, f), rows: how many keys. Its size does not depend on the number of keys;
    states of parts add up.
    """

    sums: F64
    totals: F64
    rows: int

    def __init__(self, settings: Settings, value_width: int) -> None:
        """settings: of a mechanism with features whose products are its kernel."""
        assert settings.mechanism.features is not None
        self._settings, self._maps = settings, settings.mechanism.features
        self._width = value_width // settings.heads
        self._forget()

    def add(self, keys: Floats, values: Floats) -> None:
        """Add keys (n, d) with values (n, d_v), by products in their dtype."""
        self._accumulate(*self._of(keys, values), len(keys))

    def remove(self, keys: Floats, values: Floats) -> None:
        """Take out keys (n, d) with values (n, d_v) that were added before."""
        sums, totals = self._of(keys, values)
        self._accumulate(-sums, -totals, -len(keys))

    def merge(self, other: KernelState) -> None:
        """Add the keys of another state."""
        self._accumulate(other.sums, other.totals, other.rows)

    def attend(self, queries: Floats) -> tuple[F64, F64]:
        """Outputs (H, m, w) of queries (m, d), and the logarithm (H, m) of the sum of their kernels.

        Over no keys the outputs are 0, and the logarithms -inf.
        """
        settings = self._settings
        if not self.rows:
            shape = (settings.heads, len(queries))
            return np.zeros((*shape, self._width)), np.full(shape, -np.inf)
        slices = queries.astype(np.float64).reshape(len(queries), settings.heads, -1)
        asked = self._maps.queries(slices, settings.temperature, settings.options).transpose(1, 0, 2)
        kernels = np.matmul(asked, self.totals[:, :, None])
        return np.matmul(asked, self.sums) / kernels, np.log(kernels[:, :, 0])

    def _of(self, keys: Floats, values: Floats) -> tuple[F64, F64]:
        settings = self._settings
        slices = by_heads(keys, settings.heads)
        features = self._maps.keys(slices, settings.temperature, settings.options).transpose(1, 2, 0)
        sums = np.matmul(features, by_heads(values, settings.heads).transpose(1, 0, 2))
        return sums.astype(np.float64), features.sum(axis=2, dtype=np.float64)

    def _accumulate(self, sums: F64, totals: F64, rows: int) -> None:
        if rows:
            empty = not self.rows
            self.sums, self.totals = (sums, totals) if empty else (self.sums + sums, self.totals + totals)
        self.rows += rows
        if not self.rows:
            self._forget()

    def _forget(self) -> None:
        """The state of no keys, without what rounding leaves of those removed."""
        self.rows = 0
        self.sums = np.zeros((self._settings.heads, 0, self._width))
        self.totals = np.zeros((self._settings.heads, 0))
