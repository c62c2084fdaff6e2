"""The base class of all tables: quals in, typed arguments to one method, its column batches out as rows.

A concrete table is a declaration and the method `scan`. Both hosts use it: the bundled one takes the batches
as they are (through `bridge`), Multicorn takes rows from `execute`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ruattn_fdw import contract
from ruattn_fdw.declaration import ROLE_EXTRA, Table
from ruattn_fdw.errors import NO_SUCH_COLUMN, NOT_SUPPORTED, AttentionError, choices
from ruattn_fdw.parameters import Arguments, missing, read_options
from ruattn_fdw.report import Report

if TYPE_CHECKING:
    from ruattn_fdw.contract import ColumnDefinition, ForeignDataWrapper, Qual, SortKey
else:
    ForeignDataWrapper = contract.resolve().ForeignDataWrapper

DEFAULT_ROWS = 1000
IMPOSSIBLE_ROWS = 10**15
ROW_WIDTH = 100


class Batch(NamedTuple):
    """Rows by columns: each an array, a list, a 1-tuple (the same value in every row), or (array, valid)."""

    rows: int
    columns: Mapping[str, Any]


class Cost(NamedTuple):
    """The planner's figures for one scan."""

    rows: float
    startup: float
    total: float


class AttentionTable(ForeignDataWrapper):
    """A virtual table. Subclasses set `declaration` and write `scan`, some `cost` and `explanation` too."""

    declaration: ClassVar[Table]

    def __init__(self, fdw_options: Mapping[str, str], fdw_columns: Mapping[str, ColumnDefinition]) -> None:
        super().__init__(fdw_options, fdw_columns)
        self.fixed = read_options(self.declaration, fdw_options)
        self.columns = tuple(fdw_columns)
        self._check_columns()

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Compute, and return an iterator over batches of the wanted result columns, the first one small."""
        raise NotImplementedError(f"{type(self).__name__} has no scan")

    def cost(self, arguments: Arguments) -> Cost:
        """The planner's figures; values may still be unknown."""
        return Cost(1, 0.1, 1.1)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Lines for EXPLAIN; values may still be unknown."""
        return []

    def arguments(self, quals: Mapping[str, object]) -> Arguments:
        """The parameters in effect under these quals."""
        return Arguments(self.declaration, self.fixed, quals)

    def groups(self) -> list[tuple[str, ...]]:
        """Groups of parameters of which one must come from a qual: those not settled by an OPTION."""
        return [group for group in self.declaration.groups() if not any(name in self.fixed for name in group)]

    def batches(
        self, quals: Mapping[str, object], wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """The batches of one scan, the wanted parameter columns added, each showing its value in effect."""
        arguments = self.arguments(quals)
        arguments.require_groups()
        batches = self.scan(arguments, wanted, memo, report)
        shown = {name: (arguments.shown[name],) for name in wanted if name in arguments}
        return (Batch(batch.rows, {**batch.columns, **shown}) for batch in batches)

    def execute(
        self, quals: Sequence[Qual], columns: Sequence[str], sortkeys: Sequence[SortKey] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows for Multicorn, every parameter echoed as it was received."""
        wanted = list(columns)
        for batch in self.batches(self._parameter_quals(quals), wanted, {}, Report()):
            values = [_python_values(batch.columns[name], batch.rows) for name in wanted]
            for row in range(batch.rows):
                yield {name: column[row] for name, column in zip(wanted, values, strict=True)}

    def get_rel_size(self, quals: Sequence[Qual], columns: Sequence[str]) -> tuple[int, int]:
        """Rows and their width; beyond any other plan while a required parameter is missing."""
        given = self._parameter_quals(quals)
        if any(not any(name in given for name in group) for group in self.groups()):
            return IMPOSSIBLE_ROWS, ROW_WIDTH
        return math.ceil(self.cost(self.arguments(given)).rows), ROW_WIDTH

    def get_path_keys(self) -> list[tuple[tuple[str, ...], int]]:
        """Each choice of one parameter out of every group: with those a join can supply what is required."""
        groups = self.groups()
        return [(names, DEFAULT_ROWS) for names in product(*groups)] if groups else []

    def can_sort(self, sortkeys: Sequence[SortKey]) -> Sequence[SortKey]:
        """The sort keys as they are, if rows arrive in that order."""
        if len(sortkeys) == 1 and (sortkeys[0].attname, sortkeys[0].is_reversed) in self.declaration.order:
            return sortkeys
        return []

    def explain(
        self,
        quals: Sequence[Qual],
        columns: Sequence[str],
        sortkeys: Sequence[SortKey] | None = None,
        verbose: bool = False,
    ) -> list[str]:
        """The lines of `explanation` as Multicorn wants them."""
        arguments = self.arguments(self._parameter_quals(quals))
        return [f"{label}: {value}" for label, value in self.explanation(arguments)]

    def _parameter_quals(self, quals: Sequence[Qual]) -> dict[str, object]:
        given: dict[str, object] = {}
        for qual in quals:
            if self.declaration.parameter(qual.field_name) is None:
                continue
            if qual.operator != "=":
                raise AttentionError(
                    f'parameter "{qual.field_name}" takes = and a value only',
                    sqlstate=NOT_SUPPORTED,
                    hint=self.declaration.hint,
                )
            given.setdefault(qual.field_name, qual.value)
        return given

    def _check_columns(self) -> None:
        table = self.declaration
        for name in self.columns:
            if table.role(name) == ROLE_EXTRA:
                raise AttentionError(
                    f'column "{name}" is neither a result nor a parameter of {table.name}',
                    sqlstate=NO_SUCH_COLUMN,
                    hint=choices(name, [column.name for column in table.columns()], "columns"),
                )
        for group in self.groups():
            if not any(name in self.columns for name in group):
                raise missing(table, group)


def _python_values(column: Any, rows: int) -> Sequence[Any]:
    """A batch's column as plain Python values, one for each row."""
    if isinstance(column, tuple):
        if len(column) == 1:
            return [column[0]] * rows
        array, valid = column
        return [value if known else None for value, known in zip(array.tolist(), valid.tolist(), strict=True)]
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
