"""Rows on their way to a host, by columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Rows by columns: each an array, a list, a 1-tuple (the same value in every row), or (array, valid)."""

    rows: int
    columns: Mapping[str, Any]


def pieces(batch: Batch, longest: int) -> Iterator[Batch]:
    """The batch cut into consecutive ones of at most `longest` rows."""
    if batch.rows <= longest:
        yield batch
        return
    for start in range(0, batch.rows, longest):
        part = slice(start, min(start + longest, batch.rows))
        columns = {name: _cut(column, part) for name, column in batch.columns.items()}
        yield Batch(part.stop - part.start, columns)


def python_values(column: Any, rows: int) -> Sequence[Any]:
    """A batch's column as plain Python values, one for each row."""
    if isinstance(column, tuple):
        if len(column) == 1:
            return [column[0]] * rows
        array, valid = column
        return [value if known else None for value, known in zip(array.tolist(), valid.tolist(), strict=True)]
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def multicorn_values(column: Any, rows: int, type_name: str) -> Sequence[Any]:
    """A batch's column as Multicorn turns into SQL of that type: arrays as lists, documents as JSON."""
    if isinstance(column, tuple) and len(column) == 1:
        return [_multicorn_value(column[0], type_name)] * rows
    return [_multicorn_value(value, type_name) for value in python_values(column, rows)]


def _multicorn_value(value: Any, type_name: str) -> Any:
    if type_name == "real" and isinstance(value, float):
        # SQL refuses what is too small for the type, which is zero
        return np.float32(value).item()
    if isinstance(value, dict):
        return json.dumps(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _cut(column: Any, part: slice) -> Any:
    if isinstance(column, tuple):
        return column if len(column) == 1 else tuple(array[part] for array in column)
    return column[part]
