"""Products of large matrices in pieces, between which a cancel gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from .arrays import F32, F64, Checkpoint

T = TypeVar("T", F32, F64)

_MULTIPLICATIONS = 2**28
"""So many take a core some 10 ms."""


def pieces(length: int, multiplications_each: int) -> Iterator[slice]:
    """Consecutive slices over `length` items that take so many multiplications each."""
    step = max(16, _MULTIPLICATIONS // max(1, multiplications_each))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def product(left: T, right: T, checkpoint: Checkpoint, out: T | None = None) -> T:
    """left (n, m) @ right (m, w)."""
    result = np.empty((len(left), right.shape[1]), left.dtype) if out is None else out
    for span in pieces(len(left), right.size):
        np.matmul(left[span], right, out=result[span])
        checkpoint()
    return result
