"""The state of a kernel mechanism, which answers without the keys."""

from __future__ import annotations

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats, spans
from ..batch import Settings
from ..errors import NumericOverflow
from ..linear.state import KernelState
from ..outputs import finite
from .stored import Both

_LEAST = -600.0
"""The logarithm of the smallest sum of kernels that has lost nothing to float64 underflow."""


class ByState:
    """A kernel mechanism's sums over the keys, without the keys."""

    def __init__(self, settings: Settings, both: Both, checkpoint: Checkpoint) -> None:
        keys, values = both
        width = (keys if values is None else values).shape[1]
        self._state, self._checkpoint = KernelState(settings, width), checkpoint
        self.append(both)

    def __len__(self) -> int:
        return self._state.rows

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """Output (d_v,) and log-sum-exp (H,) of a query (d,)."""
        with np.errstate(all="ignore"):
            output, lse = self._state.attend(query[None])
        if not (lse > _LEAST).all():
            raise NumericOverflow(
                f"the kernels of the query are too small: its largest value is {np.abs(query).max():g}",
                "Scale the query down.",
            )
        return finite(output.reshape(1, -1).astype(np.float32))[0], lse[:, 0]

    def append(self, more: Both) -> None:
        """Add rows, in float64."""
        keys, values = more[0], more[0] if more[1] is None else more[1]
        for span in spans(len(keys), 8 * keys.shape[1]):
            self._state.add(keys[span].astype(np.float64), values[span].astype(np.float64))
            self._checkpoint()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._state.sums.nbytes + self._state.totals.nbytes)
