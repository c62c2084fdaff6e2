"""Typed values out of whatever a host hands over.

The bundled host gives integers, floats, text and buffers. Multicorn2 gives most numbers as text and arrays as
lists of text, and options of a foreign table are always text. One reader for each SQL type takes them all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import BAD_DATA, INVALID_PARAMETER, AttentionError

MAX_JSON_BYTES = 65536
SHOWN_CHARACTERS = 40


class Unknown:
    """A value that is not known before execution; `text` is its expression, as EXPLAIN shows it."""

    def __init__(self, text: str) -> None:
        self.text = text


def read(parameter: Parameter, value: object) -> Any:
    """The value of a parameter in Python's or numpy's type; an `Unknown` passes through."""
    if isinstance(value, Unknown):
        return value
    is_declared = parameter.id_of is None or parameter.type.removesuffix("[]") == "bigint"
    return READERS[parameter.type](parameter, value) if is_declared else read_id(value)


def shown(value: object, limit: int = SHOWN_CHARACTERS) -> str:
    """A value as error messages quote it: short."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def invalid(parameter: Parameter, value: object, sqlstate: str = INVALID_PARAMETER) -> AttentionError:
    """The error for a value that is not of the parameter's type."""
    return AttentionError(
        f'{parameter.name} must be of type {parameter.type}, got "{shown(value)}"',
        sqlstate=sqlstate,
        hint=f"{parameter.name}: {parameter.help}.",
    )


def check_bounds(parameter: Parameter, value: float) -> None:
    """Raise unless a number lies within the parameter's range and that of its SQL type."""
    low, high = parameter.bounds()
    below = low is not None and (value <= low if parameter.above else value < low)
    if not below and (high is None or value <= high):
        return
    if high is None:
        wanted = f"greater than {low:g}" if parameter.above else f"at least {low:g}"
    else:
        wanted = f"between {low} and {high}"
    raise AttentionError(
        f"{parameter.name} must be {wanted}, got {shown(value)}", hint=f"{parameter.name}: {parameter.help}."
    )


def read_text(parameter: Parameter, value: object) -> str:
    """A text, as it is."""
    if not isinstance(value, str):
        raise invalid(parameter, value)
    if parameter.among and value not in parameter.among:
        raise AttentionError(
            f'{parameter.name} must be one of {", ".join(parameter.among)}, got "{shown(value)}"',
            hint=f"{parameter.name}: {parameter.help}.",
        )
    return value


def read_boolean(parameter: Parameter, value: object) -> bool:
    """A truth value, or one of the words that SQL has for it."""
    words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in words:
        raise invalid(parameter, value)
    return words[value.lower()]


def read_integer(parameter: Parameter, value: object) -> int:
    """An integer within the range of its SQL type."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise invalid(parameter, value) from None
    check_bounds(parameter, number)
    return int(number)


def read_float(parameter: Parameter, value: object) -> float:
    """A finite number."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise invalid(parameter, value) from None
    if not math.isfinite(number):
        raise AttentionError(
            f"{parameter.name} must be finite, got {number}", hint=f"{parameter.name}: {parameter.help}."
        )
    check_bounds(parameter, number)
    return number


def read_json(parameter: Parameter, value: object) -> dict[str, Any]:
    """A JSON object of moderate size."""
    text = json.dumps(value) if isinstance(value, dict) else read_text(parameter, value)
    size = len(text.encode())
    if size > MAX_JSON_BYTES:
        raise AttentionError(f"{parameter.name} has {size} bytes, at most {MAX_JSON_BYTES} are allowed")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise AttentionError(f"{parameter.name} is nested too deeply") from None
    except ValueError as error:
        raise AttentionError(f"{parameter.name} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise AttentionError(
            f"{parameter.name} must be a JSON object, got {shown(text)}",
            hint="Write it like '{\"scale\": 0.5}'.",
        )
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


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
    rows = _rows_of(parameter, value) if isinstance(value, str) else value
    try:
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
    inside = text.strip().translate(str.maketrans("[]", "{}"))
    if not (inside.startswith("{") and inside.endswith("}") and "{" in inside[1:]):
        raise AttentionError(
            f'{parameter.name} must be a two-dimensional array, got "{shown(text)}"',
            sqlstate=BAD_DATA,
            hint="Write it like '{{0.1, 0.2}, {0.3, 0.4}}', a vector in each row.",
        )
    rows = re.findall(r"\{([^{}]*)\}", inside[1:-1])
    return [row.split(",") for row in rows]


def read_id(value: object) -> str:
    """The text form of an id that is no integer, or of an array of such ids."""
    if isinstance(value, str | int | float):
        return str(value)
    return array_literal(value if isinstance(value, list | tuple) else np.asarray(value).tolist())


def array_literal(elements: Iterable[object]) -> str:
    """An SQL array as text."""
    quoted = (str(element).replace("\\", "\\\\").replace('"', '\\"') for element in elements)
    return "{" + ",".join(f'"{element}"' for element in quoted) + "}"


def _finite(parameter: Parameter, array: np.ndarray) -> np.ndarray:
    if array.size == 0:
        raise AttentionError(f"{parameter.name} has no elements", sqlstate=BAD_DATA)
    finite = np.isfinite(array)
    if not finite.all():
        place = int(np.argmin(finite))
        raise AttentionError(
            f"{parameter.name} has {array[place]} at position {place + 1}, every element must be finite",
            sqlstate=BAD_DATA,
        )
    return array


def _elements(parameter: Parameter, value: object, dtype: type) -> np.ndarray:
    """The elements of a one-dimensional SQL array, given as a buffer, a list, or text in either notation."""
    if isinstance(value, str):
        value = _split(parameter, value)
    if isinstance(value, list | tuple):
        return _from_list(parameter, list(value), dtype)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise invalid(parameter, value) from None
    if array.ndim != 1:
        raise AttentionError(f"{parameter.name} must have one dimension, got {array.ndim}", sqlstate=BAD_DATA)
    return array.astype(dtype, copy=False)


def _from_list(parameter: Parameter, elements: list[Any], dtype: type) -> np.ndarray:
    for place, element in enumerate(elements, 1):
        if element is None or (isinstance(element, str) and element.strip().upper() == "NULL"):
            raise AttentionError(f"{parameter.name} has a NULL at position {place}", sqlstate=BAD_DATA)
        if isinstance(element, list | tuple):
            raise AttentionError(f"{parameter.name} must have one dimension, got 2", sqlstate=BAD_DATA)
    try:
        convert: Callable[[Any], Any] = int if dtype is np.int64 else float
        return np.array([convert(element) for element in elements], dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        raise invalid(parameter, elements, BAD_DATA) from None


def _split(parameter: Parameter, text: str) -> list[str]:
    stripped = text.strip()
    if len(stripped) < 2 or stripped[0] + stripped[-1] not in ("{}", "[]"):
        raise AttentionError(
            f'{parameter.name} must be an array, got "{shown(text)}"',
            sqlstate=BAD_DATA,
            hint="Write it like '{0.1, 0.2}' or '[0.1, 0.2]'.",
        )
    inside = stripped[1:-1].strip()
    if any(bracket in inside for bracket in "{}[]"):
        raise AttentionError(f"{parameter.name} must have one dimension, got 2", sqlstate=BAD_DATA)
    return inside.split(",") if inside else []


READERS: dict[str, Callable[[Parameter, object], Any]] = {
    "text": read_text,
    "boolean": read_boolean,
    "integer": read_integer,
    "bigint": read_integer,
    "double precision": read_float,
    "jsonb": read_json,
    "attention_vector": read_vector,
    "double precision[]": read_floats,
    "bigint[]": read_integers,
    "real[]": read_matrix,
}
