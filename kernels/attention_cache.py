"""Attention of single queries over the same keys and values, which are made ready once."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arrays import F32, F64, Checkpoint, Floats, uninterrupted
from .batch import Settings, check_heads_of_values, largest_exponent
from .core import scaled_dot
from .core.dot import DOT_FEATURES
from .errors import InvalidShape
from .logits import check_width
from .mechanism import same_width, weighted_sum
from .prepared.experts import ByExperts
from .prepared.state import ByState
from .prepared.stored import Both, Stored
from .prepared.tiles import Scored, Tiles

_STATE_RANGE = 300.0
"""Exponents of features whose products float64 holds, whatever the query's."""


class Prepared(Protocol):
    """Keys and values in the form that answers a mechanism's queries fastest."""

    def __len__(self) -> int:
        """The number of keys."""

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """Output (d_v,) and log-sum-exp (H,) of a query (d,)."""

    def append(self, more: Both) -> Both | None:
        """Add rows. If these are all rows, rather than None, nothing was added: make them ready anew."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""


class AttentionCache:
    """Keys (n, d) and values (n, d_v) float32, finite, for many queries, one at a time.

    For any mechanism without an order, with its options in effect. What answers fastest is kept: of
    mechanisms with features the keys and values, which are not copied and must not be changed from outside;
    of kernel mechanisms their state (S, z) alone; where logits split (gat) the keys' part of them; of experts
    (moe) the keys of each side by side. Others are put to `outputs`, whose answers these are, to 1e-5.
    """

    def __init__(
        self,
        settings: Settings,
        keys: F32,
        values: F32 | None = None,
        *,
        checkpoint: Checkpoint = uninterrupted,
    ) -> None:
        """values: None for those that `outputs` takes in their place.

        Raises InvalidShape, and what the mechanism raises of its keys.
        """
        self._settings, self._checkpoint = settings, checkpoint
        both = _checked(settings, keys, values)
        self._widths = _widths(both)
        self._prepared = _prepared(settings, both, checkpoint)

    def __len__(self) -> int:
        return len(self._prepared)

    def output(self, query: Floats) -> F32:
        """The output (d_v,) of a query (d,); errors are those of `outputs`."""
        return self.attend(query)[0]

    def attend(self, query: Floats) -> tuple[F32, F64]:
        """The output (d_v,) of a query (d,), and the log-sum-exp (H,) of its logits, NaN if it has none."""
        if query.shape != self._widths[:1]:
            self._check_shape(query)
        return self._prepared.attend(query)

    def _check_shape(self, query: Floats) -> None:
        if query.ndim != 1:
            raise InvalidShape(f"query has the shape {query.shape}, it must be one vector")
        settings = self._settings
        check_width(settings.mechanism, query.size, self._widths[0], settings.heads, settings.options)

    def append(self, keys: F32, values: F32 | None = None) -> None:
        """Add keys (b, d), and values (b, d_v) if there were any.

        Takes O(b), in the mean over many, for mechanisms with features; others are made ready anew.
        """
        more = _checked(self._settings, keys, values)
        if _widths(more) != self._widths:
            raise InvalidShape(
                f"keys and values of the widths {_widths(more)} do not go with those of {self._widths}"
            )
        everything = self._prepared.append(more)
        if everything is not None:
            self._prepared = _prepared(self._settings, everything, self._checkpoint)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held, those given among them."""
        return self._prepared.nbytes


def _checked(settings: Settings, keys: F32, values: F32 | None) -> Both:
    """Keys and values row by row, as they are where that is how they lie."""
    for what, rows in (("keys", keys), ("values", values)):
        if rows is not None and rows.ndim != 2:
            raise InvalidShape(f"{what} have {rows.ndim} dimensions, they must be a matrix")
    if values is not None and len(values) != len(keys):
        raise InvalidShape(f"there are {len(keys)} keys and {len(values)} values, each key has one")
    if values is not None or settings.mechanism.own_values is None:
        check_heads_of_values(settings.heads, (keys if values is None else values).shape[1])
    by_rows = None if values is None else np.ascontiguousarray(values, np.float32)
    return np.ascontiguousarray(keys, np.float32), by_rows


def _widths(both: Both) -> tuple[int, int | None]:
    keys, values = both
    return keys.shape[1], None if values is None else values.shape[1]


def _prepared(settings: Settings, both: Both, checkpoint: Checkpoint) -> Prepared:
    """Keys and values in the form that the mechanism's entry allows."""
    mechanism, (keys, _) = settings.mechanism, both
    plain = mechanism.aggregate is weighted_sum and mechanism.key_widths is same_width
    if not plain or not len(keys) or keys.shape[1] % settings.heads:
        return Stored(settings, both, checkpoint)
    if mechanism.experts is not None:
        within = Settings(scaled_dot.MECHANISM, keys.shape[1], settings.heads, settings.temperature)
        experts = mechanism.experts(keys, settings.options, checkpoint)
        return ByExperts(settings, experts, both, lambda own: Tiles(within, DOT_FEATURES, own, checkpoint))
    if not mechanism.pairwise(settings.options):
        return Stored(settings, both, checkpoint)
    if mechanism.score_keys is not None:
        return Scored(settings, mechanism.score_keys, both, checkpoint)
    if mechanism.kernel and mechanism.features and largest_exponent(settings, keys) <= _STATE_RANGE:
        return ByState(settings, both, checkpoint)
    if mechanism.features is not None and not mechanism.kernel:
        return Tiles(settings, mechanism.features, both, checkpoint)
    return Stored(settings, both, checkpoint)
