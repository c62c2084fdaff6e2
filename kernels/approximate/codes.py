"""Keys in fewer bits: codes and a scale for each row, and how far a row is from what they stand for.

A row k is stored as codes c and a scale s. What proves answers is its residual r = k - s c, of which the
length |r| and the largest element are kept, rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import F32, F64, TINY32, Floats, spans

Arrays = Mapping[str, npt.NDArray[Any]]
"""The sections of `layout` by name, row by row."""

CODES, SCALE, LENGTH, LARGEST = "codes", "scale", "residual_length", "residual_largest"

PEAKS = {"int8": 127.0, "float16": 2.0**15}
"""The largest code of each dtype."""


@dataclass(frozen=True)
class ResidualSum:
    """The sum of the residuals (d,) of the first `rows` rows, whose errors cancel in a normaliser."""

    rows: int
    vector: F64

    def extended(self, keys: F32, arrays: Arrays) -> ResidualSum:
        """The sum with the rows that follow: their keys (n, d) and what `encode` made of them."""
        vector = self.vector.copy()
        for span in spans(len(keys), 8 * keys.shape[1]):
            vector += _residuals(keys[span], arrays[CODES][span], arrays[SCALE][span]).sum(axis=0)
        return ResidualSum(self.rows + len(keys), vector)


def no_residuals(width: int) -> ResidualSum:
    """The sum over no rows of this width."""
    return ResidualSum(0, np.zeros(width))


def layout(dtype: str, width: int) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of a row of each section that keys (n, width) are stored in."""
    single = np.dtype(np.float32)
    return [(CODES, np.dtype(dtype), (width,)), *((name, single, ()) for name in (SCALE, LENGTH, LARGEST))]


def encode(keys: F32, dtype: str) -> dict[str, npt.NDArray[Any]]:
    """The sections of finite keys (n, d), each row by itself. dtype: int8 or float16."""
    sections = {
        name: np.empty((len(keys), *shape), kind) for name, kind, shape in layout(dtype, keys.shape[1])
    }
    for span in spans(len(keys), 8 * keys.shape[1]):
        block = keys[span].astype(np.float64)
        scale = _scales(np.abs(block).max(axis=1, initial=0), dtype)
        codes = _codes(block, scale, dtype)
        residuals = np.abs(_residuals(block, codes, scale))
        sections[CODES][span], sections[SCALE][span] = codes, scale
        sections[LENGTH][span] = rounded_up(np.sqrt((residuals * residuals).sum(axis=1)))
        sections[LARGEST][span] = rounded_up(residuals.max(axis=1, initial=0))
    return sections


def rounded_up(values: Floats) -> F32:
    """float32 no less than non-negative float64, whose own rounding is made up for; 0 stays 0."""
    nearest = values.astype(np.float32)
    result: F32 = np.where(values > 0, np.nextafter(nearest, np.float32(np.inf)), nearest)
    return result


def _scales(largest: F64, dtype: str) -> F32:
    """The scale of rows by their largest element (n,); 0, as are the codes, where it would be denormal."""
    exact = largest / PEAKS[dtype] if dtype == "int8" else np.ldexp(1.0, np.frexp(largest)[1] - 15)
    scale = exact.astype(np.float32)
    scale[largest < TINY32 * PEAKS["int8"]] = 0
    return scale


def _codes(block: F64, scale: F32, dtype: str) -> npt.NDArray[Any]:
    multiples = block / np.where(scale > 0, scale, np.inf).astype(np.float64)[:, None]
    codes: npt.NDArray[Any] = (np.rint(multiples) if dtype == "int8" else multiples).astype(dtype)
    return codes


def _residuals(keys: Floats, codes: npt.NDArray[Any], scale: F32) -> F64:
    """The residuals (n, d), exact: a code has 8 or 11 bits, so its product with a scale fits into float64."""
    residuals: F64 = keys.astype(np.float64) - codes.astype(np.float64) * scale.astype(np.float64)[:, None]
    return residuals
