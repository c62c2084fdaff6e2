"""Array types, cache-sized blocks, and dot products by heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from .native import dots

Floats = npt.NDArray[np.floating]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Present = Rows | npt.NDArray[np.int32]
"""Which rows of an array count, ascending: in 32 bits where they are those of a whole table."""
Checkpoint = Callable[[], None]

BLOCK_BYTES = 512 * 1024
"""A block of keys that is still in a core's second-level cache when it is read again."""

EPS32 = float(np.finfo(np.float32).eps) / 2
"""Unit roundoff of float32."""

TINY32 = float(np.finfo(np.float32).tiny)
"""The smallest normal float32."""

MAX32 = float(np.finfo(np.float32).max)
"""The largest float32."""


def uninterrupted() -> None:
    """The checkpoint of callers who have nothing to check."""


def spans(length: int, bytes_each: int) -> Iterator[slice]:
    """Consecutive slices over `length` items of `bytes_each` bytes, within BLOCK_BYTES or 16 long."""
    step = max(16, BLOCK_BYTES // max(1, bytes_each))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def runs(first: Rows, counts: Rows) -> Rows:
    """The indexes first[i], first[i] + 1, ... of runs of these lengths, one run after the other."""
    starts = np.cumsum(counts) - counts
    return np.repeat(first - starts, counts) + np.arange(counts.sum())


def by_heads(vectors: Floats, heads: int) -> Floats:
    """A view (..., H, d/H) of vectors (..., d)."""
    return vectors.reshape(*vectors.shape[:-1], heads, vectors.shape[-1] // heads)


def head_dots(query: Floats, keys: Floats, out: Floats) -> None:
    """out[h, j] = <query[h], h-th slice of keys[j]> for query (H, d/H), keys (n, d), out (H, n) of one dtype.

    Each row is summed alone in one fixed order, so that equal rows get equal results.
    """
    if keys.dtype == np.float32:
        head_dots_and_squares(query, keys, out)
    else:
        dots.exact_dots(np.ascontiguousarray(query), by_rows(keys), None, out)


def head_dots_and_squares(query: F32, keys: F32, out: F32) -> F32:
    """The same of float32, and with it <keys[j], keys[j]> (n,)."""
    squares = np.empty(len(keys), np.float32)
    dots.head_dots(np.ascontiguousarray(query), by_rows(keys), out, squares[None])
    return squares


def by_rows(keys: Floats) -> Floats:
    """Keys (n, d) whose columns lie side by side: themselves, or a copy."""
    return keys if keys.strides[1] == keys.itemsize else np.ascontiguousarray(keys)
