"""Keys and values as they are."""

from __future__ import annotations

import numpy as np

from ..arrays import F32, F64, Checkpoint, Floats
from ..batch import Settings
from ..outputs import outputs

Both = tuple[F32, F32 | None]
"""Keys (n, d) and values (n, d_v); None for the keys, or for what a mechanism takes them to stand for."""


class Stored:
    """Keys and values that every query goes through in the general way."""

    def __init__(self, settings: Settings, both: Both, checkpoint: Checkpoint) -> None:
        self._settings, self._checkpoint = settings, checkpoint
        self.keys, self.values = both

    def __len__(self) -> int:
        return len(self.keys)

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """Output (d_v,) and log-sum-exp (H,) of a query (d,)."""
        [answer] = outputs(
            self._settings,
            query[None],
            self.keys,
            self.values,
            entropy=False,
            checkpoint=self._checkpoint,
        )
        return answer.output[0], answer.lse[0]

    def append(self, more: Both) -> Both | None:
        """Add rows. If these are all rows, rather than None, nothing was added: make them ready anew."""
        return joined([(self.keys, self.values), more])

    @property
    def nbytes(self) -> int:
        """Bytes of arrays held, those given among them."""
        return self.keys.nbytes + (0 if self.values is None else self.values.nbytes)


def joined(parts: list[Both]) -> Both:
    """The rows of all parts."""
    values = [own for _, own in parts if own is not None]
    return np.concatenate([keys for keys, _ in parts]), np.concatenate(values) if values else None
