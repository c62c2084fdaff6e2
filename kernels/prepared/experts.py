"""Keys shared out among experts, each of which has its own made ready."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import F32, F64, Floats
from ..batch import Settings
from ..errors import NumericOverflow
from ..logits import overflow
from ..mechanism import Experts
from .stored import Both, Stored, joined


class ByExperts:
    """The keys of each expert side by side; a query goes to a few experts, which attend to their own."""

    def __init__(
        self, settings: Settings, experts: Experts, both: Both, prepare: Callable[[Both], Stored]
    ) -> None:
        """prepare: keys and values of one expert -> what attends to them."""
        keys, values = both
        self._settings, self._experts = settings, experts
        owners = range(int(experts.owner.max()) + 1)
        self._rows = [np.flatnonzero(experts.owner == owner) for owner in owners]
        self._parts = [prepare((keys[rows], None if values is None else values[rows])) for rows in self._rows]

    def __len__(self) -> int:
        return len(self._experts.owner)

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """Output (d_v,) of a query (d,); it has no log-sum-exp, (H,) of NaN."""
        chosen, shares = self._experts.of(query.astype(np.float64), self._settings.options)
        output: Floats = np.zeros(())
        for expert, share in zip(chosen.tolist(), shares.tolist(), strict=True):
            output = output + share * self._of(expert, query)
        return output.astype(np.float32, copy=False), np.full(self._settings.heads, np.nan)

    def _of(self, expert: int, query: Floats) -> F32:
        part = self._parts[expert]
        try:
            return part.attend(query)[0]
        except NumericOverflow as error:
            if error.row is None:
                raise
            row = int(self._rows[expert][error.row])
            what = f"the logit of query and row {row}"
            raise overflow(what, query, part.keys[error.row], row=row) from None

    def append(self, more: Both) -> Both:
        """All rows in the order in which they were given: experts are fitted to all of them together."""
        places = np.argsort(np.concatenate(self._rows))
        keys, values = joined([(part.keys, part.values) for part in self._parts])
        return joined([(keys[places], None if values is None else values[places]), more])

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(part.nbytes for part in self._parts)
