"""What a virtual table is: its result columns, its parameters, their types, defaults, ranges and help.

Each table is declared once with these classes. Roles for the host, DDL, comments, validation, hints and the
documentation's tables are all derived from that declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

INTEGER_RANGES = {
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
INTEGER_TYPES = ("smallint", "integer", "bigint")

ANY_ID = "the type of the ids"
"""The type of an id of which a table does not say more: its text form is taken as it is."""

ROLE_EXTRA, ROLE_RESULT, ROLE_PARAMETER = 0, 1, 2


@dataclass(frozen=True)
class Result:
    """A column that the table computes; `type` is an SQL type as `format_type` prints it.

    An id has the parameter that names its column in the source as `named_by`: in a user's own table it may
    have that column's name and type.
    """

    name: str
    type: str
    help: str
    named_by: str | None = None

    @property
    def comment(self) -> str:
        """The column's COMMENT."""
        return f"RESULT: {self.help}"


@dataclass(frozen=True)
class Parameter:
    """A column that takes a value by `WHERE name = value`.

    `one_of` names a group of which one member must be given. `default_help` says in words what a default is
    that depends on something else. `minimum` and `maximum` bound numbers; with `above` the minimum itself is
    excluded. An id, or an array of them, has the parameter that names the ids' column as `id_of`. A text that
    must be one of a few has them as `among`.
    """

    name: str
    type: str
    help: str
    required: bool = False
    one_of: str | None = None
    default: object = None
    default_help: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    id_of: str | None = None
    among: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`required`, `one of ...`, `default ...` or `optional`, as comments and documentation show it."""
        if self.required:
            return "required"
        if self.one_of:
            return f"one of {self.one_of}"
        if self.default_help:
            return f"default: {self.default_help}"
        return "optional" if self.default is None else f"default {self.default}"

    @property
    def comment(self) -> str:
        """The column's COMMENT."""
        return f"PARAMETER ({self.status}): {self.help}"

    @cached_property
    def bounds(self) -> tuple[float | None, float | None]:
        """The smallest and largest value allowed, the range of the SQL type included."""
        low, high = INTEGER_RANGES.get(self.type, (None, None))
        return (
            low if self.minimum is None else self.minimum,
            high if self.maximum is None else self.maximum,
        )

    @cached_property
    def takes_id(self) -> bool:
        """Whether the value is an id, or several, that a table may have in another type than bigint."""
        return self.id_of is not None and self.type.removesuffix("[]") != "bigint"


@dataclass(frozen=True)
class SourceRow:
    """Where the row of the source behind a result row is: `result` has its id.

    `relation`, `id_column` and `column` are the parameters that name the source, the column of its ids and
    that of its vectors, or with `texts` of its texts.
    """

    result: str
    relation: str = "table_name"
    id_column: str = "id_column"
    column: str = "vector_column"
    texts: bool = False


@dataclass(frozen=True)
class Table:
    """A virtual table. `order` lists the single-column orders of arriving rows, as (column, descending).

    With `source_row` a user's own table may have further columns, read from the row of the source. sharded:
    the parameter that names the relation which may lie on shards, None where none may.
    """

    name: str
    help: str
    results: tuple[Result, ...]
    parameters: tuple[Parameter, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    example: str = ""
    source_row: SourceRow | None = None
    sharded: str | None = None

    def columns(self) -> Iterator[Result | Parameter]:
        """Every column in the order of the DDL: results, then parameters."""
        yield from self.results
        yield from self.parameters

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of this name, or None."""
        return self._parameters.get(name)

    def role(self, name: str) -> int:
        """The host's role number of a column of this name."""
        if self.parameter(name):
            return ROLE_PARAMETER
        return ROLE_RESULT if any(result.name == name for result in self.results) else ROLE_EXTRA

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of parameters of which one each must be given; a required parameter is its own group."""
        grouped: dict[str, list[str]] = {}
        for parameter in self.parameters:
            if parameter.required or parameter.one_of:
                grouped.setdefault(parameter.one_of or parameter.name, []).append(parameter.name)
        return tuple(tuple(names) for names in grouped.values())

    def alternatives(self, name: str) -> tuple[str, ...]:
        """The other members of the `one_of` group that `name` belongs to."""
        group = next((group for group in self.groups if name in group), ())
        return tuple(other for other in group if other != name)

    @cached_property
    def defaults(self) -> Mapping[str, object]:
        """The default of each parameter, None where it has none."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    @cached_property
    def _parameters(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @property
    def hint(self) -> str:
        """A working query, as a HINT."""
        return f"For example: {self.example};"
