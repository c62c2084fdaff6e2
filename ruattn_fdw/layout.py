"""What the columns of a foreign table are: declared ones, ids under their own name, columns of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ruattn_fdw.column_types import check_parameters, check_results
from ruattn_fdw.declaration import ANY_ID, INTEGER_TYPES, ROLE_EXTRA, ROLE_RESULT, Parameter, Result, Table
from ruattn_fdw.errors import NO_SUCH_COLUMN, AttentionError, choices


class Layout:
    """Columns of a foreign table, by name with their SQL types, under its OPTIONS.

    `table` is the declaration with the ids' types as this table has them; `extras` are the columns that are
    read from the source.
    """

    def __init__(self, table: Table, columns: Mapping[str, str], options: Mapping[str, str]) -> None:
        self._results = dict(_served_results(table, columns, options))
        check_results(table, self._results, columns)
        check_parameters(table, columns, options)
        self.table = _with_id_types(table, columns, self._results)
        self.extras = tuple(
            name for name in columns if name not in self._results and table.parameter(name) is None
        )
        if self.extras and table.source_row is None:
            raise AttentionError(
                f'column "{self.extras[0]}" is neither a result nor a parameter of {table.name}',
                sqlstate=NO_SUCH_COLUMN,
                hint=choices(self.extras[0], [column.name for column in table.columns()], "columns"),
            )

    def role(self, name: str) -> int:
        """The host's role number of a column."""
        if name in self._results:
            return ROLE_RESULT
        return self.table.role(name) if name not in self.extras else ROLE_EXTRA

    def computed(self, wanted: Sequence[str]) -> list[str]:
        """The declared columns that a scan must give for these columns of the table."""
        names = [self._results.get(name, name) for name in wanted if name not in self.extras]
        row = self.table.source_row
        if row is not None and row.result not in names and len(names) < len(wanted):
            names.append(row.result)
        return names

    def renamed(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Declared columns with those results added that this table calls otherwise."""
        return {**columns, **{name: columns[own] for name, own in self._results.items() if own in columns}}


def _served_results(
    table: Table, columns: Mapping[str, str], options: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """(name in this table, declared name) of each result that the table has."""
    declared = {column.name for column in table.columns()}
    for result in table.results:
        if result.name in columns:
            yield result.name, result.name
        alias = options.get(result.named_by or "")
        if alias is not None and alias in columns and alias not in declared:
            yield alias, result.name


def _with_id_types(table: Table, columns: Mapping[str, str], served: Mapping[str, str]) -> Table:
    """The declaration with ids, and parameters that take ids, in the type that this table gives them."""
    types = {declared: columns[name] for name, declared in served.items()}
    results = tuple(
        replace(result, type=types.get(result.name, ANY_ID)) if result.named_by else result
        for result in table.results
    )
    parameters = tuple(_with_id_type(parameter, columns, results) for parameter in table.parameters)
    return replace(table, results=results, parameters=parameters)


def _with_id_type(parameter: Parameter, columns: Mapping[str, str], results: Sequence[Result]) -> Parameter:
    """Integers of every width stay as the declaration has them, other types are taken by their text form."""
    if parameter.id_of is None:
        return parameter
    array = "[]" if parameter.type.endswith("[]") else ""
    id_types = [result.type for result in results if result.named_by == parameter.id_of]
    given = columns.get(parameter.name) or (id_types[0] if id_types else ANY_ID) + array
    return parameter if given.removesuffix(array) in INTEGER_TYPES else replace(parameter, type=given)
