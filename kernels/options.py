"""Options of a mechanism as data: from one declaration come validation, error hints and the JSON schema."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    def json_schema(self) -> dict[str, object]:
        """The finite ends as a JSON schema names them."""
        ends: dict[str, object] = {}
        if math.isfinite(self.low):
            ends["exclusiveMinimum" if self.low_open else "minimum"] = self.low
        if math.isfinite(self.high):
            ends["exclusiveMaximum" if self.high_open else "maximum"] = self.high
        return ends


@dataclass(frozen=True)
class Option:
    """One option: `default` None means a value derived from the data, as `help` says.

    type: int, float, bool or str. `range` bounds a number; a text is one of its members; True or False has
    none. names_column: the text is the name of a column of numbers beside the vectors.
    """

    name: str
    type: Any
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
            schema |= self.range.json_schema()
        return schema


@dataclass(frozen=True)
class NumbersOption(Option):
    """An option of `length` numbers, each within `range`; `whole` ones are integers. Its value is a tuple."""

    type: Any = field(default=list, init=False)
    default: Any
    length: int = 1
    whole: bool = False

    def parse(self, value: object) -> Any:
        """The value as a tuple, else InvalidOption. None only where it is the default."""
        if value is None and self.default is None:
            return None
        fits = isinstance(value, (list, tuple)) and len(value) == self.length and all(map(self._fits, value))
        if not fits:
            kind = "integers" if self.whole else "numbers"
            raise InvalidOption(
                f"{self.name} is {shown(value)}, it must be an array of {self.length} {kind} in {self.range}",
                f"{self.help} The default is {self.default_text}.",
            )
        return tuple(cast(Sequence[Number], value))

    def _fits(self, number: object) -> bool:
        accepted = (int,) if self.whole else (int, float)
        plain = isinstance(number, accepted) and not isinstance(number, bool)
        return plain and isinstance(self.range, Interval) and number in self.range

    def json_schema(self) -> dict[str, object]:
        """This option as a JSON schema property."""
        assert isinstance(self.range, Interval)
        items = {"type": "integer" if self.whole else "number", **self.range.json_schema()}
        schema: dict[str, object] = {"type": "array", "description": self.help, "items": items}
        schema |= {"minItems": self.length, "maxItems": self.length}
        return schema if self.default is None else {**schema, "default": list(self.default)}


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
