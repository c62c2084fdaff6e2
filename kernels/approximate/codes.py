"""Keys in fewer bits: codes and a scale for each row, and how far a row is from what they stand for.

A row k is stored as codes c and a scale s. What proves answers is its residual r = k - s c, of which the
length |r| and the largest element are kept, rounded up. Beside int8 codes lies their sketch: c to the next
of 16 values, which is half as much to read and tells most rows from the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import F32, F64, TINY32, Floats, spans
from ..sweep import SKETCH_MIDDLE, SKETCH_STEP, TILE

Arrays = Mapping[str, npt.NDArray[Any]]
"""The sections of `layout` by name."""

Values = npt.NDArray[Any]

CODES, SCALE, LENGTH, LARGEST = "codes", "scale", "residual_length", "residual_largest"
SKETCH, SKETCH_LENGTH, SKETCH_LARGEST = "sketch", "sketch_residual_length", "sketch_residual_largest"

_NAMES = ((SKETCH, SKETCH_LENGTH, SKETCH_LARGEST), (CODES, LENGTH, LARGEST))
"""Sections of the levels, the coarsest first."""

PEAKS = {"int8": 127.0, "float16": 2.0**15}
"""The largest code of each dtype."""

SKETCHED = "int8"
"""The dtype that has a sketch."""


@dataclass(frozen=True)
class Level:
    """Rows (m,) in one precision: their values, and what these leave of them.

    values: codes (m, d), or tiles of a sketch. scale, length, largest (m,): of the values, and of residuals.
    together (d,): the sum of the residuals of the first `summed` rows.
    """

    values: Values
    scale: F32
    length: F32
    largest: F32
    width: int
    peak: float
    summed: int
    together: F64

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True)
class ResidualSum:
    """The sums of the residuals (levels, d) of the first `rows` rows, whose errors cancel in a normaliser."""

    rows: int
    vectors: F64

    def __add__(self, other: ResidualSum) -> ResidualSum:
        """The sums with the rows that follow."""
        return ResidualSum(self.rows + other.rows, self.vectors + other.vectors)


def no_residuals(dtype: str, width: int) -> ResidualSum:
    """The sums over no rows of this width."""
    return ResidualSum(0, np.zeros((number_of_levels(dtype), width)))


def number_of_levels(dtype: str) -> int:
    """In how many precisions rows of this dtype are stored."""
    return len(_NAMES) if dtype == SKETCHED else 1


def levels(arrays: Arrays, residuals: ResidualSum | None = None) -> list[Level]:
    """The precisions that rows are stored in, the coarsest first; residuals: their sums, None for no rows."""
    codes = arrays[CODES]
    dtype, width = codes.dtype.name, codes.shape[1]
    residuals = residuals or no_residuals(dtype, width)
    names = _NAMES[-number_of_levels(dtype) :]
    return [
        Level(
            arrays[values],
            arrays[SCALE],
            arrays[length],
            arrays[largest],
            width,
            PEAKS[dtype],
            residuals.rows,
            together,
        )
        for (values, length, largest), together in zip(names, residuals.vectors, strict=True)
    ]


def layout(dtype: str, width: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of a row of each section that keys are stored in, `room` rows in all."""
    single = np.dtype(np.float32)
    shapes = {CODES: (np.dtype(dtype), (width,)), SKETCH: (np.dtype(np.uint8), (4 * -(-width // 8),))}
    names = [SCALE, *(name for level in _NAMES[-number_of_levels(dtype) :] for name in level)]
    return [(name, *shapes.get(name, (single, ()))) for name in names]


def room(rows: int) -> int:
    """How many rows sections need for so many: whole tiles."""
    return -(-rows // TILE) * TILE


def first_rows(arrays: Arrays, count: int) -> dict[str, Values]:
    """The sections of the first rows."""
    return {name: part[: room(count) if name == SKETCH else count] for name, part in arrays.items()}


def write(arrays: Arrays, first: int, keys: F32) -> ResidualSum:
    """Write finite keys (n, d) into the rows from `first` on, each by itself; the sum of what they lose."""
    dtype, width = arrays[CODES].dtype.name, keys.shape[1]
    left = no_residuals(dtype, width)
    for span in spans(len(keys), 8 * width):
        rows = slice(first + span.start, first + span.stop)
        block = keys[span].astype(np.float64)
        scale = _scales(np.abs(block).max(axis=1, initial=0), dtype)
        multiples = block / np.where(scale > 0, scale, np.inf).astype(np.float64)[:, None]
        arrays[SCALE][rows] = scale
        arrays[CODES][rows] = np.rint(multiples) if dtype == "int8" else multiples
        values = [arrays[CODES][rows]]
        if dtype == SKETCHED:
            values.insert(0, _write_sketch(arrays[SKETCH], rows, multiples))
        sums = [
            _write_residuals(level, rows, _residuals(block, part, scale))
            for level, part in zip(levels(arrays), values, strict=True)
        ]
        left += ResidualSum(len(block), np.stack(sums))
    return left


def rounded_up(values: Floats) -> F32:
    """float32 no less than non-negative float64, whose own rounding is made up for; 0 stays 0."""
    nearest = values.astype(np.float32)
    result: F32 = np.where(values > 0, np.nextafter(nearest, np.float32(np.inf)), nearest)
    return result


def _write_residuals(level: Level, rows: slice, residuals: F64) -> F64:
    """Keep the sizes of the residuals (n, d) of these rows; their sum (d,)."""
    level.length[rows] = rounded_up(np.sqrt(np.einsum("nd,nd->n", residuals, residuals)))
    level.largest[rows] = rounded_up(np.abs(residuals).max(axis=1, initial=0))
    total: F64 = residuals.sum(axis=0)
    return total


def _write_sketch(sketch: Values, rows: slice, multiples: F64) -> F64:
    """Put multiples (n, d) of the scale into tiles: columns of 8 elements, in each key by key 4 bytes.

    Returns the values (n, d) that they stand for.
    """
    count, width = multiples.shape
    places = np.arange(rows.start, rows.stop)
    nearest = np.rint((multiples + SKETCH_MIDDLE) / SKETCH_STEP).clip(0, 15)
    columns = np.zeros((count, sketch.shape[1] // 4, 2, 4), np.uint8)
    columns.reshape(count, -1)[:, :width] = nearest
    both = columns[:, :, 0] | columns[:, :, 1] << 4
    tiles = sketch.view(np.uint32).reshape(-1, sketch.shape[1] // 4, TILE)
    tiles[places // TILE, :, places % TILE] = both.view(np.uint32)[:, :, 0]
    values: F64 = nearest * SKETCH_STEP - SKETCH_MIDDLE
    return values


def _scales(largest: F64, dtype: str) -> F32:
    """The scale of rows by their largest element (n,); 0, as are the codes, where it would be denormal."""
    exact = largest / PEAKS[dtype] if dtype == "int8" else np.ldexp(1.0, np.frexp(largest)[1] - 15)
    scale = exact.astype(np.float32)
    scale[largest < TINY32 * PEAKS["int8"]] = 0
    return scale


def _residuals(keys: Floats, values: Values, scale: F32) -> F64:
    """The residuals (n, d), exact: a value has 11 bits, so its product with a scale fits into float64."""
    residuals: F64 = keys.astype(np.float64) - values.astype(np.float64) * scale.astype(np.float64)[:, None]
    return residuals
