"""The parameters in effect for one scan: the query's, over those fixed by OPTIONS, over the defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ruattn_fdw.declaration import ANY_ID, Table
from ruattn_fdw.errors import INVALID_OPTION, AttentionError, choices
from ruattn_fdw.invalid import shown
from ruattn_fdw.values import Unknown, read

OPERATION = "operation"
LOCKED = "locked"
SUMMARISED_CHARACTERS = 200


class Arguments(Mapping[str, Any]):
    """Validated values by parameter name, None where there is none.

    `shown` is what the parameter columns of the result show: each value as it was given, defaults included.
    """

    def __init__(
        self, table: Table, fixed: Mapping[str, Any], quals: Mapping[str, object], *, locked: bool = False
    ) -> None:
        if locked:
            _refuse_overriding(table, fixed, quals)
        self.table = table
        standing = _without_alternatives(table, fixed, quals) if fixed else {}
        self._values: dict[str, Any] = {**table.defaults, **standing}
        self.shown: dict[str, object] = dict(self._values)
        self._given = {*standing, *quals}
        for name, value in quals.items():
            parameter = table.parameter(name)
            if parameter is not None:
                self._values[name] = read(parameter, value)
                self.shown[name] = value

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def known(self, name: str) -> Any:
        """The value, or None while it is not known (planning)."""
        value = self._values[name]
        return None if isinstance(value, Unknown) else value

    def id_type(self, id_column: str) -> str:
        """The SQL type that ids have in this table, whose column in the source that parameter names."""
        return next((result.type for result in self.table.results if result.named_by == id_column), ANY_ID)

    def is_given(self, name: str) -> bool:
        """Whether the query or an OPTION gives the parameter."""
        return name in self._given

    def declare(self, name: str, value: object) -> None:
        """Put in effect what is declared elsewhere, in place of the default."""
        self._values[name] = self.shown[name] = value

    def settle(self, name: str, value: object) -> None:
        """Give a parameter that has no value yet the default that depends on the others."""
        if self._values[name] is None:
            self._values[name] = self.shown[name] = value

    def require_groups(self) -> None:
        """Raise if of some group no member is given, or if alternatives are given together."""
        for group in self.table.groups:
            given = [name for name in group if self._values[name] is not None]
            if not given:
                raise missing(self.table, group)
            if len(given) > 1:
                raise AttentionError(
                    f"{given[0]} and {given[1]} are both given, only one can be", hint=self.table.hint
                )

    def summary(self) -> str:
        """All values in effect on one line, long ones by their size, as EXPLAIN shows them."""
        given = ((name, value) for name, value in self._values.items() if value is not None)
        return ", ".join(f"{name} = {_summarise(value)}" for name, value in given)


def missing(table: Table, group: tuple[str, ...]) -> AttentionError:
    """The error for a group of parameters of which none is given."""
    names = " or ".join(f'"{name}"' for name in group)
    return AttentionError(f"{table.name} needs the parameter {names}", sqlstate="0A000", hint=table.hint)


def read_options(table: Table, options: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that a foreign table fixes by its OPTIONS."""
    fixed = {}
    for name, text in options.items():
        parameter = table.parameter(name)
        if parameter is not None:
            fixed[name] = read(parameter, text)
        elif name not in (OPERATION, LOCKED):
            raise invalid_option(name, [OPERATION, LOCKED, *(p.name for p in table.parameters)])
    return fixed


def is_locked(options: Mapping[str, str]) -> bool:
    """Whether the OPTION `locked` keeps queries from overriding the other OPTIONS."""
    text = options.get(LOCKED, "false")
    if text.lower() not in _BOOLEANS:
        raise AttentionError(
            f'locked must be true or false, got "{shown(text)}"',
            hint="Under locked 'true' no query may give a parameter that an OPTION fixes.",
        )
    return _BOOLEANS[text.lower()]


_BOOLEANS = dict.fromkeys(("true", "on", "yes", "1"), True)
_BOOLEANS |= dict.fromkeys(("false", "off", "no", "0"), False)


def _refuse_overriding(table: Table, fixed: Mapping[str, Any], quals: Mapping[str, object]) -> None:
    """Raise if a qual gives a fixed parameter, or another member of its group."""
    for given, value in quals.items():
        parameter = table.parameter(given)
        for name in (given, *table.alternatives(given)):
            if name in fixed and parameter is not None:
                wanted = _summarise(read(parameter, value)) or "another value"
                raise AttentionError(
                    f'parameter "{name}" is locked to {_summarise(fixed[name])}, '
                    f"the query gives {given} = {wanted}",
                    hint="Leave that clause out, or have the table's owner set its option locked to false.",
                )


def invalid_option(name: str, valid: list[str]) -> AttentionError:
    """The error for an option that does not exist, with those that do."""
    return AttentionError(
        f'invalid option "{name}"', sqlstate=INVALID_OPTION, hint=choices(name, valid, "options")
    )


def _without_alternatives(
    table: Table, fixed: Mapping[str, Any], quals: Mapping[str, object]
) -> dict[str, Any]:
    """The fixed values, less those that a qual on another member of the same group replaces."""
    replaced = {other for name in quals for other in table.alternatives(name)}
    return {name: value for name, value in fixed.items() if name not in replaced}


def _summarise(value: object) -> str:
    if isinstance(value, Unknown):
        return value.text
    if isinstance(value, np.ndarray):
        noun = "integers" if value.dtype.kind == "i" else "floats"
        return f"{' x '.join(map(str, value.shape))} {noun}"
    if isinstance(value, dict | bool):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else shown(value, SUMMARISED_CHARACTERS)
