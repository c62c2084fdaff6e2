"""Arrays out of whatever a host hands over: buffers, lists, or text in either notation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import BAD_DATA, AttentionError
from ruattn_fdw.invalid import invalid, shown

SPACE = " \t\n\v\f\r"
"""What SQL skips in numbers and arrays; Python's strip takes more."""

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+|nan|inf|infinity)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_ROWS = re.compile(r"\{\s*(\{[^{}]*\}\s*,\s*)*\{[^{}]*\}\s*\}")


def read_vector(parameter: Parameter, value: object) -> np.ndarray:
    """A float32 array of shape (dimensions,), not empty, every element finite."""
    with np.errstate(over="ignore"):
        return _finite(parameter, _elements(parameter, value, np.float32))


def read_floats(parameter: Parameter, value: object) -> np.ndarray:
    """A float64 array of shape (n,), not empty, every element finite."""
    return _finite(parameter, _elements(parameter, value, np.float64))


def read_integers(parameter: Parameter, value: object) -> np.ndarray:
    """An int64 array of shape (n,), perhaps empty."""
    array = _elements(parameter, value, np.int64)
    return np.ascontiguousarray(array, dtype=np.int64)


def read_matrix(parameter: Parameter, value: object) -> np.ndarray:
    """A float32 array of shape (rows, dimensions), not empty, every element finite."""
    try:
        rows = _rows_of(parameter, value) if isinstance(value, str) else value
        with np.errstate(over="ignore"):
            array = np.array(rows, dtype=np.float32)
    except (TypeError, ValueError):
        raise invalid(parameter, value, BAD_DATA) from None
    if array.size == 0:
        raise AttentionError(
            f"{parameter.name} has no elements",
            sqlstate=BAD_DATA,
            hint=f"{parameter.name}: {parameter.help}.",
        )
    if array.ndim != 2:
        raise AttentionError(
            f"{parameter.name} must have two dimensions, got {array.ndim}",
            sqlstate=BAD_DATA,
            hint="Write it like '{{0.1, 0.2}, {0.3, 0.4}}', a vector in each row.",
        )
    if not np.isfinite(array).all():
        row, place = np.argwhere(~np.isfinite(array))[0]
        raise AttentionError(
            f"{parameter.name} has {array[row, place]} at position {place + 1} of row {row + 1}, "
            "every element must be finite",
            sqlstate=BAD_DATA,
            hint=f"{parameter.name}: {parameter.help}.",
        )
    return array


def _rows_of(parameter: Parameter, text: str) -> list[list[str]]:
    """The rows of a two-dimensional array in either notation."""
    inside = text.strip(SPACE).translate(str.maketrans("[]", "{}"))
    if not (inside.startswith("{") and inside.endswith("}") and "{" in inside[1:]):
        raise AttentionError(
            f'{parameter.name} must be a two-dimensional array, got "{shown(text)}"',
            sqlstate=BAD_DATA,
            hint="Write it like '{{0.1, 0.2}, {0.3, 0.4}}', a vector in each row.",
        )
    if not _ROWS.fullmatch(inside):
        raise invalid(parameter, text, BAD_DATA)
    rows = re.findall(r"\{([^{}]*)\}", inside[1:-1])
    return [[as_written_in_sql(element) for element in row.split(",")] for row in rows]


def read_id(value: object) -> str:
    """The text form of an id that is no integer, or of an array of such ids."""
    if isinstance(value, str | int | float):
        return str(value)
    return array_literal(value if isinstance(value, list | tuple) else np.asarray(value).tolist())


def array_literal(elements: Iterable[object]) -> str:
    """An SQL array as text."""
    quoted = (str(element).replace("\\", "\\\\").replace('"', '\\"') for element in elements)
    return "{" + ",".join(f'"{element}"' for element in quoted) + "}"


def bad_data(message: str) -> AttentionError:
    """The error for an array of one dimension that is none, or holds what it may not."""
    return AttentionError(
        message, sqlstate=BAD_DATA, hint="Write it like '{0.1, 0.2}' or '[0.1, 0.2]', with finite numbers."
    )


def _finite(parameter: Parameter, array: np.ndarray) -> np.ndarray:
    if array.size == 0:
        raise bad_data(f"{parameter.name} has no elements")
    finite = np.isfinite(array)
    if not finite.all():
        place = int(np.argmin(finite))
        raise bad_data(
            f"{parameter.name} has {array[place]} at position {place + 1}, every element must be finite"
        )
    return array


def _elements(parameter: Parameter, value: object, dtype: type) -> np.ndarray:
    """The elements of a one-dimensional SQL array, given as a buffer, a list, or text in either notation."""
    if isinstance(value, str):
        return _from_list(parameter, _split(parameter, value), dtype, value)
    if isinstance(value, list | tuple):
        return _from_list(parameter, list(value), dtype, value)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise invalid(parameter, value) from None
    if array.ndim != 1:
        raise bad_data(f"{parameter.name} must have one dimension, got {array.ndim}")
    return array.astype(dtype, copy=False)


def _from_list(parameter: Parameter, elements: list[Any], dtype: type, given: object) -> np.ndarray:
    for place, element in enumerate(elements, 1):
        if element is None or (isinstance(element, str) and element.strip().upper() == "NULL"):
            raise bad_data(f"{parameter.name} has a NULL at position {place}")
        if isinstance(element, list | tuple):
            raise bad_data(f"{parameter.name} must have one dimension, got 2")
    try:
        convert: Callable[[Any], Any] = int if dtype is np.int64 else float
        return np.array([convert(as_written_in_sql(element)) for element in elements], dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        raise invalid(parameter, given, BAD_DATA) from None


def as_written_in_sql(element: Any) -> Any:
    """An element; ValueError for a text that only Python takes for a number: of other digits, with "_"."""
    if isinstance(element, str) and not _NUMBER.fullmatch(element):
        raise ValueError(element)
    return element


def _split(parameter: Parameter, text: str) -> list[str]:
    stripped = text.strip(SPACE)
    if len(stripped) < 2 or stripped[0] + stripped[-1] not in ("{}", "[]"):
        raise bad_data(f'{parameter.name} must be an array, got "{shown(text)}"')
    inside = stripped[1:-1].strip(SPACE)
    if any(bracket in inside for bracket in "{}[]"):
        raise bad_data(f"{parameter.name} must have one dimension, got 2")
    return inside.split(",") if inside else []
