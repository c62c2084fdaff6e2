"""Keys whose logits for any query take little, and values, in one pass over tiles of them."""

from __future__ import annotations

import numpy as np

from ..arrays import F32, F64, MAX32, TINY32, Checkpoint, Floats, by_heads
from ..batch import Settings, longest_key
from ..core.dot import DOT_FEATURES, dot_factor
from ..mechanism import Features, MakeScoreKeys
from ..native import tiles
from ..products import SINGLE
from .stored import Both, Stored


class Growing:
    """Rows (n, w) in one array: the one given, until rows are added."""

    rows: F32

    def __init__(self, rows: F32) -> None:
        self._held = self.rows = rows

    def append(self, more: F32) -> F32:
        """All rows with (b, w) added; twice the room is taken whenever it is used up."""
        count, wanted = len(self.rows), len(self.rows) + len(more)
        if wanted > len(self._held):
            self._held = np.empty((max(wanted, 2 * count), self.rows.shape[1]), np.float32)
            self._held[:count] = self.rows
        self._held[count:wanted] = more
        self.rows = self._held[:wanted]
        return self.rows

    @property
    def nbytes(self) -> int:
        """Bytes held, the room for more rows among them."""
        return int(self._held.nbytes)


class Tiles(Stored):
    """Keys by their features, whose products with those of a query are its logits."""

    def __init__(self, settings: Settings, maps: Features, both: Both, checkpoint: Checkpoint) -> None:
        super().__init__(settings, both, checkpoint)
        self._maps = maps
        self._factor = 1.0
        if maps is DOT_FEATURES:
            width = self.keys.shape[1] // settings.heads
            self._factor = dot_factor(width, settings.temperature, settings.options)
        features, self._limit = self._of(self.keys)
        self._all_keys = Growing(self.keys)
        self._all_values = None if self.values is None else Growing(self.values)
        self._features = self._all_keys if np.may_share_memory(features, self.keys) else Growing(features)

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """As Stored, and in float32 where that keeps weights to 1e-5."""
        values = self.keys if self.values is None else self.values
        heads = self._settings.heads
        asked = query.astype(np.float64).reshape(heads, -1)
        if self._maps is not DOT_FEATURES:
            asked = self._mapped(asked)
        output, lse = np.empty((1, values.shape[1]), np.float32), np.empty((1, heads))
        if not tiles.of_query(asked, self._features.rows, values, output, lse, self._factor, self._limit):
            return super().attend(query)
        return output[0], lse[0]

    def _mapped(self, slices: F64) -> F64:
        settings = self._settings
        asked = self._maps.queries(slices, settings.temperature, settings.options)
        return np.ascontiguousarray(asked, np.float64)

    def append(self, more: Both) -> Both | None:
        """Add rows, and their features."""
        keys, values = more
        features, limit = self._of(keys)
        self._limit = min(self._limit, limit)
        self.keys = self._all_keys.append(keys)
        if self._features is not self._all_keys:
            self._features.append(features)
        if self._all_values is not None and values is not None:
            self.values = self._all_values.append(values)
        return None

    @property
    def nbytes(self) -> int:
        """Bytes of arrays held, those given and the room for more rows among them."""
        held = {id(part): part for part in (self._all_keys, self._all_values, self._features) if part}
        return sum(part.nbytes for part in held.values())

    def _of(self, keys: F32) -> tuple[F32, float]:
        """Features (n, H * f) of keys, and how long a query may be for float32 to keep weights to 1e-5."""
        settings = self._settings
        features = self._maps.keys(by_heads(keys, settings.heads), settings.temperature, settings.options)
        return features.reshape(len(keys), -1).astype(np.float32, copy=False), SINGLE / max(
            longest_key(settings, keys), TINY32
        )


class Scored(Stored):
    """Keys with their part in the logits, of a mechanism that can tell it without the query."""

    def __init__(self, settings: Settings, make: MakeScoreKeys, both: Both, checkpoint: Checkpoint) -> None:
        super().__init__(settings, both, checkpoint)
        own, heads, options = settings.mechanism.own_values, settings.heads, settings.options
        self._summed = self.keys if self.values is None else self.values
        if self.values is None and own is not None:
            self._summed = own(self.keys, self.keys.shape[1], heads, options, checkpoint)
        self._score = make(self.keys, heads, settings.temperature, options, checkpoint)

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """As Stored, by logits in float64."""
        logits = self._score(query.astype(np.float64).reshape(self._settings.heads, -1))
        output, lse = np.empty((1, self._summed.shape[1]), np.float32), np.empty((1, len(logits)))
        if not tiles.of_logits(logits, self._summed, output, lse, MAX32):
            return super().attend(query)
        return output[0], lse[0]

    @property
    def nbytes(self) -> int:
        """Bytes of arrays held, those given among them."""
        own = self._summed is not self.keys and self._summed is not self.values
        return super().nbytes + self._score.nbytes + (self._summed.nbytes if own else 0)
