"""One pass over all keys for the weights of one query, by blocks, and the rows of the largest scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import EPS32, F32, F64, Checkpoint, Floats, Present, Rows
from .native import sweep as native
from .softmax import State

BYTES_PER_CALL = 512 * 2**20
"""Memory of keys that is read between two checkpoints, in some 50 ms: threads are started anew for each."""

BYTES_OF_A_THREAD = 8 * 2**20
"""Memory in the cache that takes longer to read than a thread takes to start."""

TILE = native.TILE_KEYS
"""Keys of a tile of a sketch, which lie beside each other byte by byte."""

SKETCH_STEP, SKETCH_MIDDLE = float(native.SKETCH_STEP), native.TWICE_SKETCH_MIDDLE / 2
"""Values of a sketch are multiples of the step, from 0 to 15, less the middle: those that int8 has."""

LEAST = 1e-30
"""Scores from here on lose nothing to underflow: weights under e^-87 of their block's largest count 0."""


class ByBlock(NamedTuple):
    """Values (1, n) of rows, not negative, and the largest of each block (1, blocks)."""

    values: F32
    tops: F32

    @classmethod
    def empty(cls, n: int, blocks: int) -> ByBlock:
        """Values to be written."""
        return cls(np.empty((1, n), np.float32), np.empty((1, blocks), np.float32))

    def at_least(self, least: float) -> Rows:
        """The rows with no less than that, ascending."""
        rows = np.empty((1, self.values.shape[1]), np.int64)
        count = native.at_least(self.values, self.tops, least, rows)
        found: Rows = rows[0, :count]
        return found

    def largest(self, count: int) -> Rows:
        """The rows of the `count` largest values, or all rows."""
        values, tops = self.values[0], self.tops[0]
        if count < len(tops):
            rows = self.at_least(float(np.partition(tops, len(tops) - count)[len(tops) - count]))
            values = values[rows]
        else:
            rows = np.arange(len(values))
        if count < len(rows):
            rows = rows[np.argpartition(values, len(rows) - count)[len(rows) - count :]]
        return rows


class Bounds(NamedTuple):
    """How far the logits of keys can be off: in each head by the lesser one of two products.

    These are of bound (m,) and spread (m,) with factors (H, 2). usual (H,): logits that keys have.
    """

    bound: F32
    spread: F32
    factors: F32
    usual: F32


class Sweep:
    """Weights of a query over the keys that count, each relative to the largest of its block and head.

    squares (n,): <key, key> of float32 keys. sums (H, 1): of the weights relative to the largest one. With
    Bounds sums (H, 4): of that weight, of weight * b, of |weight - u| * b and of ((weight - u) * spread)^2,
    where b is the bound of a logit and u the weight of the usual one; most (3,): the largest bound, spread
    and scale.
    """

    squares: F32

    def __init__(
        self,
        before: BeforeKeys,
        present: Present | None,
        bounds: Bounds | None,
        *,
        threads: int,
        checkpoint: Checkpoint,
    ) -> None:
        """before: the query and its keys. present (n,): the stored rows that count, None for all."""
        keys, scale, heads = before.keys, before.scale, len(before.query)
        stored = len(keys) if scale is None else len(scale)
        n = stored if present is None else len(present)
        blocks = -(-n // native.BLOCK)
        self._threads = threads
        self._weights = np.empty((heads, n), np.float32)
        self._maxima = np.empty((blocks, heads), np.float32)
        self.squares = np.empty(n if scale is None else 0, np.float32)
        sums = np.empty((blocks, heads * (1 if bounds is None else 4)))
        most = np.empty((blocks, 0 if bounds is None else 3), np.float32)
        given, rows = before.given(present), _rows(bounds)
        squares = self.squares[None] if scale is None else None
        step = max(1, BYTES_PER_CALL // (native.BLOCK * max(1, keys.strides[0])))
        for first in range(0, blocks, step):
            end = min(first + step, blocks)
            native.sweep(*given, *rows, self._weights, self._maxima, sums, most, squares, first, end, threads)
            checkpoint()
        self.most: F32 = most.max(axis=0)
        self._maximum = self._maxima.max(axis=0).astype(np.float64)
        # what turns weights of a block into those relative to the largest of all logits
        self._relative = np.exp(self._maxima - self._maximum)
        self.sums: F64 = np.zeros((heads, sums.shape[1] // heads))
        native.total(self._relative, sums, self.sums)

    def state(self) -> State:
        """The softmax over all keys; its total is NaN where a logit is not finite."""
        return State(self._maximum, self.sums[:, 0])

    def scores(self, softmax: State) -> ByBlock:
        """The mean over heads (n,) of the weights under this softmax."""
        return self._mixed(softmax, None, None)[0]

    def scores_within(self, softmax: State, spread: F32, reach: Floats) -> tuple[ByBlock, ByBlock]:
        """The same, and score (n,) + spread (n,) * |reach (H,) * weights / H|, the length over the heads."""
        return self._mixed(softmax, spread[None], reach.astype(np.float32)[None])

    def _mixed(self, softmax: State, spread: F32 | None, reach: F32 | None) -> tuple[ByBlock, ByBlock]:
        heads, n = self._weights.shape
        scores, upper = (ByBlock.empty(size, len(self._maxima)) for size in (n, 0 if spread is None else n))
        native.mix(
            self._weights,
            (self._under(softmax) / heads).astype(np.float32),
            scores.values,
            scores.tops,
            spread,
            reach,
            None if spread is None else upper.values,
            None if spread is None else upper.tops,
            self._threads if self._weights.nbytes > BYTES_OF_A_THREAD else 1,
        )
        return scores, upper

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


def _rows(bounds: Bounds | None) -> tuple[F32 | None, F32 | None, F32 | None, F32 | None]:
    if bounds is None:
        return None, None, None, None
    return bounds.bound[None], bounds.spread[None], bounds.factors, bounds.usual[None]


Given = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int32] | None, F32 | None, F32]


class BeforeKeys(NamedTuple):
    """A query as the native pass takes it, and the keys (m, H * w) of one kind, times scale (m,), before it.

    keys: float32, float16, int8, or a sketch. unit (H,): what products with them are multiplied by. off (H,):
    how far elements of the query are rounded, more than float32 does.
    """

    query: npt.NDArray[Any]
    keys: npt.NDArray[Any]
    scale: F32 | None
    unit: F32
    off: F64

    def given(self, rows: Present | None) -> Given:
        """All of it as arguments of the native pass over stored rows (n,), None for all."""
        scale = None if self.scale is None else self.scale[None]
        present = None if rows is None else rows[None].astype(np.int32, copy=False)
        return self.query, self.keys, present, scale, self.unit[None]

    def logits(self, rows: Present) -> F64:
        """Logits (H, c) of stored rows, of keys that have a scale."""
        out = np.empty((len(self.query), len(rows)), np.float32)
        native.logits(*self.given(rows), out)
        return out.astype(np.float64)


def before_keys(query: F64, keys: npt.NDArray[Any], scale: F32 | None) -> BeforeKeys:
    """A query (H, w) before keys."""
    if keys.dtype.kind == "f":
        ones = np.ones(len(query), np.float32)
        return BeforeKeys(query.astype(np.float32), keys, scale, ones, np.zeros(len(query)))
    unit = units(query)
    # products with a sketch are twice as large
    of_products = unit / 2 if keys.dtype == np.uint8 else unit
    return BeforeKeys(in_units(query, unit), keys, scale, of_products.astype(np.float32), unit / 2)


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
