"""One pass over all keys for the weights of one query, by blocks, and the rows of the largest scores."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import EPS32, F32, F64, Checkpoint, Floats, Rows
from .native import sweep as native
from .softmax import State

BYTES_PER_CALL = 512 * 2**20
"""Memory of keys that is read between two checkpoints, in some 50 ms: threads are started anew for each."""

BYTES_OF_A_THREAD = 8 * 2**20
"""Memory in the cache that takes longer to read than a thread takes to start."""

TILE = native.TILE_KEYS
"""Keys of a tile of a sketch, which lie beside each other byte by byte."""

SKETCH_STEP, SKETCH_MIDDLE = 16.0, 120.5
"""Values of a sketch are multiples of the step, from 0 to 15, less the middle: those that int8 has."""

LEAST = 1e-30
"""Scores from here on lose nothing to underflow: weights under e^-87 of their block's largest count 0."""


class Bounds(NamedTuple):
    """How far the logits of keys can be off: in each head by the lesser one of two products.

    These are of bound (m,) and spread (m,) with factors (H, 2). usual (H,): logits that keys have.
    """

    bound: F32
    spread: F32
    factors: F32
    usual: F32


class Sweep:
    """Weights of a query (H, w) over the keys that count, each relative to the largest of its block and head.

    squares (n,): <key, key> of float32 keys. sums (H, 1): of the weights relative to the largest one. With
    Bounds sums (H, 4): of that weight, of weight * b, of |weight - u| * b and of ((weight - u) * spread)^2,
    where b is the bound of a logit and u the weight of the usual one; most (3,): the largest bound, spread
    and scale.
    """

    squares: F32

    def __init__(
        self,
        query: F64,
        keys: npt.NDArray[Any],
        present: Rows | None,
        scale: F32 | None,
        bounds: Bounds | None,
        *,
        threads: int,
        checkpoint: Checkpoint,
    ) -> None:
        """keys (m, H * w), float32, float16 or int8, times scale (m,); present (n,): those that count."""
        stored, heads = len(keys) if scale is None else len(scale), len(query)
        n = stored if present is None else len(present)
        blocks = -(-n // native.BLOCK)
        self._threads = threads
        self._weights = np.empty((heads, n), np.float32)
        self._maxima = np.empty((blocks, heads), np.float32)
        self.squares = np.empty(n if scale is None else 0, np.float32)
        sums = np.empty((blocks, heads * (1 if bounds is None else 4)))
        most = np.empty((blocks, 0 if bounds is None else 3), np.float32)
        before = before_keys(query, keys)
        given = (
            before.query,
            keys,
            None if present is None else present[None],
            None if scale is None else scale[None],
            *_rows(bounds, heads),
            before.unit[None],
            before.layout,
        )
        squares = self.squares[None] if scale is None else None
        written = (self._weights, self._maxima, sums, most, squares)
        step = max(1, BYTES_PER_CALL // (native.BLOCK * max(1, keys.strides[0])))
        for first in range(0, blocks, step):
            native.sweep(*given, *written, first, min(first + step, blocks), threads)
            checkpoint()
        self.most: F32 = most.max(axis=0)
        self._maximum = self._maxima.max(axis=0).astype(np.float64)
        # what turns weights of a block into those relative to the largest of all logits
        self._relative = np.exp(self._maxima - self._maximum)
        by_block = sums.reshape(blocks, heads, -1)
        by_block[:, :, 3:] *= self._relative[:, :, None]
        by_block *= self._relative[:, :, None]
        self.sums: F64 = by_block.sum(axis=0)

    def state(self) -> State:
        """The softmax over all keys; its total is NaN where a logit is not finite."""
        return State(self._maximum, self.sums[:, 0])

    def scores(self, softmax: State) -> tuple[F32, F32]:
        """The mean over heads (n,) of the weights under this softmax, and the largest of each block."""
        scores, tops, _ = self._mixed(softmax, None, None)
        return scores, tops

    def scores_within(self, softmax: State, spread: F32, reach: Floats) -> tuple[F32, F32, F32]:
        """The same, and score (n,) + spread (n,) * |reach (H,) * weights / H|, the length over the heads."""
        return self._mixed(softmax, spread, reach)

    def _mixed(self, softmax: State, spread: F32 | None, reach: Floats | None) -> tuple[F32, F32, F32]:
        n, heads = self._weights.shape[1], len(self._weights)
        scores, tops = np.empty((1, n), np.float32), np.empty((1, len(self._maxima)), np.float32)
        upper = np.empty((1, 0 if spread is None else n), np.float32)
        factors = self._under(softmax) / heads
        native.mix(
            self._weights,
            factors.astype(np.float32),
            scores,
            tops,
            None if spread is None else spread[None],
            None if reach is None else reach.astype(np.float32)[None],
            None if spread is None else upper,
            self._threads if self._weights.nbytes > BYTES_OF_A_THREAD else 1,
        )
        return scores[0], tops[0], upper[0]

    def weights(self, rows: Rows, softmax: State) -> F64:
        """The weights (H, c) of rows under this softmax."""
        result: F64 = self._weights[:, rows] * self._under(softmax)[rows // native.BLOCK].T
        return result

    def rounding(self) -> float:
        """How far float32 arithmetic alone takes the logarithm of a score, where it is at least LEAST.

        In units of 2^-24: 88 for the difference of two logits, 8 for its exponential, and sums over heads.
        """
        return (112 + len(self._weights)) * EPS32

    def _under(self, softmax: State) -> F64:
        """What turns weights of a block into those under a softmax (blocks, H)."""
        under: F64 = self._relative * (np.exp(self._maximum - softmax.maximum) / softmax.total)
        return under


def _rows(bounds: Bounds | None, heads: int) -> tuple[F32 | None, F32 | None, F32 | None, F32]:
    if bounds is None:
        return None, None, None, np.zeros((1, heads), np.float32)
    return bounds.bound[None], bounds.spread[None], bounds.factors, bounds.usual[None]


class BeforeKeys(NamedTuple):
    """A query as the native pass takes it before keys of one kind.

    unit (H,): what sums of products with stored keys are multiplied by. layout (H, 2): of a head before a
    sketch the first column, and what is taken from 32 times its sums.
    """

    query: npt.NDArray[Any]
    unit: F32
    layout: npt.NDArray[np.int32] | None


def before_keys(query: F64, keys: npt.NDArray[Any]) -> BeforeKeys:
    """A query (H, w) before keys: int8, a sketch in uint8, or floats."""
    if keys.dtype == np.int8:
        unit = units(query)
        return BeforeKeys(in_units(query, unit), unit.astype(np.float32), None)
    if keys.dtype == np.uint8:
        unit = units(query)
        digits, layout = _before_sketch(in_units(query, unit))
        return BeforeKeys(digits, (unit / 2).astype(np.float32), layout)
    return BeforeKeys(query.astype(np.float32), np.ones(len(query), np.float32), None)


def units(query: F64) -> F64:
    """The units (H,) of which integers times them stand for a query (H, w) before int8 keys or a sketch.

    Integers have 16 bits, the digits of 256 and of 1 being signed bytes, or as many as leave sums of products
    with twice the keys within 32.
    """
    most = min(2**15 - 129, (2**31 - 1) // (int(2 * SKETCH_MIDDLE) * query.shape[1]))
    result: F64 = (np.abs(query).max(axis=1) / most).astype(np.float32).astype(np.float64)
    return result


def in_units(query: F64, unit: F64) -> npt.NDArray[np.int16]:
    """The query (H, w) as integers; 0 where the unit is too small for float32."""
    return np.rint(query / np.where(unit > 0, unit, np.inf)[:, None]).astype(np.int16)


def _before_sketch(integers: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Digits (H, 16 c) of integers (H, w), laid out as the c columns that a head is in, and layout."""
    first, columns, places = _sketch_columns(*integers.shape)
    digits = np.zeros((len(integers), columns, 2, 2, 4), np.int8)
    high = (integers.astype(np.int32) + 128) >> 8
    heads, column, half, byte = places
    digits[heads, column, half, 0, byte] = high
    digits[heads, column, half, 1, byte] = integers - (high << 8)
    offset = integers.sum(axis=1, dtype=np.int64) * int(2 * SKETCH_MIDDLE)
    # sums of 32 bits wrap around, and so does what is taken from them
    return digits.reshape(len(integers), -1), np.stack([first, offset], axis=1).astype(np.int32)


@lru_cache(maxsize=64)
def _sketch_columns(heads: int, width: int) -> tuple[Rows, int, tuple[Rows, Rows, Rows, Rows]]:
    """The first column of each head (H,), how many it has at most, and the places of elements (H, w) there.

    A place is a head, a column, a half of it, and a byte.
    """
    first = np.arange(heads) * width // 8
    elements = np.arange(heads * width).reshape(heads, width)
    columns = elements // 8 - first[:, None]
    places = np.arange(heads)[:, None], columns, elements % 8 // 4, elements % 4
    return first, int(columns.max()) + 1, places


def largest(scores: F32, tops: F32, count: int) -> Rows:
    """The rows of the `count` largest scores (n,), or of all; tops: the largest of each block."""
    if count < len(tops):
        least = np.partition(tops, len(tops) - count)[len(tops) - count]
        rows = np.flatnonzero(scores >= least)
        scores = scores[rows]
    else:
        rows = np.arange(len(scores))
    if count < len(rows):
        rows = rows[np.argpartition(scores, len(rows) - count)[len(rows) - count :]]
    return rows
