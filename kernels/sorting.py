"""Sorting in pieces, between which a cancel gets in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .arrays import F64, Checkpoint, Floats, Rows, spans

T = TypeVar("T")

Key = Floats | npt.NDArray[np.int64]

PIECE = 65536
"""Rows that are sorted in one go, which takes some 15 ms."""

_SAMPLE = 4096


def in_order(keys: Sequence[Key], checkpoint: Checkpoint) -> Rows:
    """The rows in the order of keys (n,), the last key first, as `np.lexsort` gives them."""
    if len(keys[0]) <= PIECE:
        return np.lexsort(keys)
    return np.concatenate(list(_pieces(keys, np.arange(len(keys[0])), checkpoint)))


def _pieces(keys: Sequence[Key], rows: Rows, checkpoint: Checkpoint) -> Iterator[Rows]:
    """Those of some rows, of which the first ones come first."""
    checkpoint()
    if not keys:
        yield rows
    elif len(rows) <= PIECE:
        yield rows[np.lexsort([key[rows] for key in keys])]
    else:
        for number, group in enumerate(_groups(keys[-1][rows], checkpoint)):
            # every other group has rows of one value, which other keys sort
            yield from _pieces(keys[:-1] if number % 2 else keys, rows[group], checkpoint)


def _groups(values: Key, checkpoint: Checkpoint) -> list[Rows]:
    """The places of values below a first bound, of those equal to it, between it and the next, and so on."""
    sample = np.sort(values[:: len(values) // _SAMPLE])
    bounds = np.unique(sample[:: max(1, len(sample) * PIECE // (4 * len(values)))])
    group = np.empty(len(values), np.int16)
    for span in spans(len(values), 8):
        checkpoint()
        below = np.searchsorted(bounds, values[span])
        group[span] = below + np.searchsorted(bounds, values[span], side="right")
    ends = np.cumsum(np.bincount(group, minlength=2 * len(bounds) + 1))
    return np.split(np.argsort(group, kind="stable"), ends[:-1])


def median(parts: Sequence[F64], checkpoint: Checkpoint) -> float:
    """The median of numbers of no less than 0 in parts of cache size, some of which are not empty."""
    count = sum(len(part) for part in parts)
    lower = _of_rank(parts, (count - 1) // 2, checkpoint)
    if count % 2 or sum(int((part <= lower).sum()) for part in _each(parts, checkpoint)) > count // 2:
        return lower
    upper = min(float(part[part > lower].min(initial=np.inf)) for part in _each(parts, checkpoint))
    return (lower + upper) / 2


def _of_rank(parts: Sequence[F64], rank: int, checkpoint: Checkpoint) -> float:
    """The number that stands at a rank, from 0, found by 16 of its bits after the other.

    Numbers of no less than 0 are in the order of their bits.
    """
    bits = [part.view(np.int64) for part in parts]
    for shift in (48, 32, 16, 0):
        counts = np.zeros(65536, np.int64)
        for part in _each(bits, checkpoint):
            counts += np.bincount(part >> shift & 65535, minlength=65536)
        ends = np.cumsum(counts)
        digit = int(np.searchsorted(ends, rank, side="right"))
        rank -= int(ends[digit] - counts[digit])
        bits = [part[part >> shift & 65535 == digit] for part in _each(bits, checkpoint)]
    return float(np.concatenate(bits)[:1].view(np.float64)[0])


def _each(parts: Sequence[T], checkpoint: Checkpoint) -> Iterator[T]:
    for part in parts:
        checkpoint()
        yield part
