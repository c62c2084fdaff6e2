"""What mechanisms learn of the keys themselves: clusters, components, graphs of nearest keys."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .arrays import F32, Checkpoint

Fitted = TypeVar("Fitted")


class LastFit(Generic[Fitted]):
    """A fit that is kept for as long as the same array of keys is asked for, with the same settings."""

    def __init__(self, fit: Callable[..., Fitted]) -> None:
        """fit: keys (n, d) with n >= 1, settings, checkpoint -> what is to be kept."""
        self._fit = fit
        self._keys: Callable[[], F32 | None] = lambda: None
        self._settings: tuple[Hashable, ...] = ()
        self._fitted: list[Fitted] = []

    def of(self, keys: F32, *settings: Hashable, checkpoint: Checkpoint) -> Fitted:
        """The fit to keys (n, d), n >= 1, under these settings."""
        if self._keys() is not keys or self._settings != settings:
            self._fitted = [self._fit(keys, *settings, checkpoint)]
            self._keys, self._settings = weakref.ref(keys, self._forget), settings
        return self._fitted[0]

    def _forget(self, keys: Callable[[], F32 | None]) -> None:
        """Nothing outlives the keys that it was fitted to."""
        if keys is self._keys:
            self._fitted, self._keys = [], lambda: None
