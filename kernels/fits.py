"""What mechanisms learn of the keys themselves: clusters, components, graphs of nearest keys."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .arrays import F32, Checkpoint
from .keyset import KeySet, as_keyset

Fitted = TypeVar("Fitted")


class LastFit(Generic[Fitted]):
    """A fit that is kept for as long as the same keys are asked for, with the same settings."""

    def __init__(self, fit: Callable[..., Fitted]) -> None:
        """fit: keys (n, d) with n >= 1, settings, checkpoint -> what is to be kept."""
        self._fit = fit
        self._owner: Callable[[], F32 | KeySet | None] = lambda: None
        self._settings: tuple[Hashable, ...] = ()
        self._fitted: list[Fitted] = []

    def of(self, keys: F32 | KeySet, *settings: Hashable, checkpoint: Checkpoint) -> Fitted:
        """The fit to keys (n, d), n >= 1, under these settings.

        The copy that a set makes of some rows does not live from one query to the next, the set does.
        """
        keyset = as_keyset(keys)
        owner = keyset.owner
        if self._owner() is not owner or self._settings != settings:
            self._fitted = [self._fit(keyset.dense(), *settings, checkpoint)]
            self._owner, self._settings = weakref.ref(owner, self._forget), settings
        return self._fitted[0]

    def _forget(self, owner: Callable[[], F32 | KeySet | None]) -> None:
        """Nothing outlives the keys that it was fitted to."""
        if owner is self._owner:
            self._fitted, self._owner = [], lambda: None
