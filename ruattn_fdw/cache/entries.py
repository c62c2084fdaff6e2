"""Entries of attention indexes, as they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ruattn_fdw.kernels.arrays import spans

_PAGES = 1 << 16


@dataclass(frozen=True)
class Entries:
    """Entries of the indexes: places int64 (e,) with the leaf above them, addresses (e,), 0 for the dead, and
    whether their vector is NULL (e,)."""

    places: np.ndarray
    tids: np.ndarray
    nulls: np.ndarray

    def take(self, some: np.ndarray) -> Entries:
        """Some of the entries, by index or by mask."""
        return Entries(self.places[some], self.tids[some], self.nulls[some])


def one_an_address(entries: Entries) -> Entries:
    """The entries, one alive at each address: to be read, whatever its twins say of their vectors."""
    order = np.argsort(entries.tids, kind="stable")
    ordered = entries.tids[order]
    twins = np.flatnonzero((ordered[1:] == ordered[:-1]) & (ordered[1:] != 0))
    if len(twins):
        entries.tids[order[twins]] = 0
        entries.nulls[order[twins + 1]] = False
    return entries


def places_of(tids: np.ndarray, addresses: np.ndarray) -> np.ndarray:
    """Where in tids (e,) one of a few addresses (a,) stands."""
    addresses = addresses[addresses != 0]
    # most tids are on pages that none of these addresses is on
    wanted = np.zeros(_PAGES, bool)
    wanted[_page(addresses)] = True
    near = [span.start + np.flatnonzero(wanted[_page(tids[span])]) for span in spans(len(tids), 16)]
    places = np.concatenate([np.empty(0, np.intp), *near])
    return places[np.isin(tids[places], addresses)]


def _page(tids: np.ndarray) -> np.ndarray:
    page: np.ndarray = tids >> 16 & (_PAGES - 1)
    return page
