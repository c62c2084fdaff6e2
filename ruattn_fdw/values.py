"""Typed values out of whatever a host hands over.

The bundled host gives integers, floats, text and buffers. Multicorn2 gives most numbers as text and arrays as
lists of text, and options of a foreign table are always text. One reader for each SQL type takes them all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ruattn_fdw.arrays import as_written_in_sql, read_floats, read_id, read_integers, read_matrix, read_vector
from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.invalid import invalid, shown

MAX_JSON_BYTES = 65536
WRITE_JSON = "Write it like '{\"scale\": 0.5}'."


class Unknown:
    """A value that is not known before execution; `text` is its expression, as EXPLAIN shows it."""

    def __init__(self, text: str) -> None:
        self.text = text


def read(parameter: Parameter, value: object) -> Any:
    """The value of a parameter in Python's or numpy's type; an `Unknown` passes through."""
    if isinstance(value, Unknown):
        return value
    return read_id(value) if parameter.takes_id else READERS[parameter.type](parameter, value)


def check_bounds(parameter: Parameter, value: float) -> None:
    """Raise unless a number lies within the parameter's range and that of its SQL type."""
    low, high = parameter.bounds
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
    number = value if type(value) is int else _as_integer(parameter, value)
    check_bounds(parameter, number)
    return number


def _as_integer(parameter: Parameter, value: Any) -> int:
    """An integer out of a whole number or its text form."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(as_written_in_sql(value))
    except (TypeError, ValueError, OverflowError):
        raise invalid(parameter, value) from None


def read_float(parameter: Parameter, value: object) -> float:
    """A finite number."""
    try:
        number = float(as_written_in_sql(value))
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
        raise AttentionError(
            f"{parameter.name} has {size} bytes, at most {MAX_JSON_BYTES} are allowed", hint=WRITE_JSON
        )
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise AttentionError(f"{parameter.name} is nested too deeply", hint=WRITE_JSON) from None
    except ValueError as error:
        raise AttentionError(f"{parameter.name} is not valid JSON: {error}", hint=WRITE_JSON) from None
    if not isinstance(document, dict):
        raise AttentionError(
            f"{parameter.name} must be a JSON object, got {shown(text)}",
            hint=WRITE_JSON,
        )
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


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
