"""Options of a mechanism as data: from one declaration come validation, error hints and the JSON schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .errors import InvalidOption, UnknownOption, shown

Number = int | float
Value = int | float | bool | str
_KINDS: dict[type, str] = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
_JSON_TYPES: dict[type, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}
_ACCEPTED: dict[type, tuple[type, ...]] = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, without the ends that are open; infinity is never among them."""

    low: Number
    high: Number = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: Any) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        left = "(" if self.low_open else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        return f"{left}{self.low}, {self.high}{right}"


@dataclass(frozen=True)
class Option:
    """One option: `default` None means a value derived from the data, as `help` says.

    `range` bounds a number; a text is one of its members; True or False has none. names_column: the text is
    the name of a column of numbers beside the vectors.
    """

    name: str
    type: type[int] | type[float] | type[bool] | type[str]
    default: Value | None
    range: Interval | tuple[str, ...] | None
    help: str
    names_column: bool = False

    def parse(self, value: object) -> Value | None:
        """The value as `type` within `range`, else InvalidOption. None only where it is the default."""
        if value is None and self.default is None:
            return None
        typed = self._typed(value)
        if self.range is not None and typed not in self.range:
            among = f"one of {', '.join(self.range)}" if isinstance(self.range, tuple) else f"in {self.range}"
            raise InvalidOption(
                f"{self.name} is {shown(value)}, it must {'be' if self.type is str else 'lie'} {among}",
                f"{self.help} The default is {self.default_text}.",
            )
        return typed

    def _typed(self, value: object) -> Value:
        plain = isinstance(value, (int, float, str)) and isinstance(value, bool) == (self.type is bool)
        if not plain or not isinstance(value, _ACCEPTED[self.type]):
            raise InvalidOption(
                f"{self.name} must be {_KINDS[self.type]}, not {shown(value)}",
                f"{self.help} The default is {self.default_text}.",
            )
        if self.type is not float:
            return cast(Value, value)
        try:
            return float(cast(Number, value))
        except OverflowError:
            return math.inf

    @property
    def default_text(self) -> str:
        """The default as documentation shows it."""
        return "derived from the data" if self.default is None else str(self.default)

    def json_schema(self) -> dict[str, object]:
        """This option as a JSON schema property."""
        schema: dict[str, object] = {"type": _JSON_TYPES[self.type], "description": self.help}
        if self.default is not None:
            schema["default"] = self.default
        if isinstance(self.range, tuple):
            schema["enum"] = list(self.range)
        elif self.range is not None:
            if math.isfinite(self.range.low):
                schema["exclusiveMinimum" if self.range.low_open else "minimum"] = self.range.low
            if math.isfinite(self.range.high):
                schema["exclusiveMaximum" if self.range.high_open else "maximum"] = self.range.high
        return schema


def column(name: str, help: str) -> Option:
    """An option that names a column of numbers, or of truth values as 0 and 1, beside the vectors."""
    return Option(name, str, None, None, help, names_column=True)


def parse(owner: str, declared: tuple[Option, ...], given: Mapping[str, object]) -> dict[str, Value | None]:
    """Every declared option with its value in effect.

    UnknownOption lists the valid keys of `owner`; InvalidOption names type, range and the value given.
    """
    names = [option.name for option in declared]
    for key in given:
        if key not in names:
            valid = f"Valid options: {', '.join(names)}." if names else f"{owner} takes no options."
            raise UnknownOption(f"{owner} has no option {shown(key)}", valid)
    return {o.name: o.parse(given[o.name]) if o.name in given else o.default for o in declared}
