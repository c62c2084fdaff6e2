"""The base class of all tables: quals in, typed arguments to one method, its column batches out as rows.

A concrete table is a declaration and the method `scan`. Both hosts use it: the bundled one takes the batches
as they are (through `bridge`), Multicorn takes rows from `execute`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ruattn_fdw import contract
from ruattn_fdw.cache.harm import unharmed
from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.layout import Layout
from ruattn_fdw.parameters import Arguments, is_locked, missing, read_options
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch, multicorn_values
from ruattn_fdw.source.extras import with_extras
from ruattn_fdw.usage import counted

if TYPE_CHECKING:
    from ruattn_fdw.contract import ColumnDefinition, ForeignDataWrapper, Qual, SortKey
else:
    ForeignDataWrapper = contract.resolve().ForeignDataWrapper

__all__ = ["AttentionTable", "Batch", "Cost"]

DEFAULT_ROWS = 1000


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
        types = {name: column.type_name for name, column in fdw_columns.items()}
        self.layout = Layout(self.declaration, types, fdw_options)
        self.fixed = read_options(self.layout.table, fdw_options)
        self.locked = is_locked(fdw_options)
        self.columns = tuple(fdw_columns)
        self._check_required()

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

    def details(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Further lines for EXPLAIN (VERBOSE)."""
        return []

    def arguments(self, quals: Mapping[str, object]) -> Arguments:
        """The parameters in effect under these quals."""
        return Arguments(self.layout.table, self.fixed, quals, locked=self.locked)

    def groups(self) -> list[tuple[str, ...]]:
        """Groups of parameters of which one must come from a qual: those not settled by an OPTION."""
        return [group for group in self.declaration.groups if not any(name in self.fixed for name in group)]

    def batches(
        self, quals: Mapping[str, object], wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """The batches of one scan with the wanted columns that no scan computes.

        Each parameter's column shows its value in effect; further columns are read from the source.
        """
        arguments = self.arguments(quals)
        arguments.require_groups()
        computed = self.layout.computed(wanted)
        batches = unharmed(lambda: self.scan(arguments, computed, memo, report), memo, report)
        batches = counted(self.declaration.name, batches, report)
        extras = [name for name in wanted if name in self.layout.extras]
        if extras:
            batches = with_extras(batches, arguments, extras, report)
        shown = {name: (arguments.shown[name],) for name in wanted if name in arguments}
        return (Batch(batch.rows, self.layout.renamed({**batch.columns, **shown})) for batch in batches)

    def execute(
        self, quals: Sequence[Qual], columns: Sequence[str], sortkeys: Sequence[SortKey] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows for Multicorn, every parameter echoed as it was received."""
        wanted = list(columns)
        types = {column.name: column.type for column in self.declaration.columns()}
        for batch in self.batches(self._parameter_quals(quals), wanted, {}, Report()):
            values = [
                multicorn_values(batch.columns[name], batch.rows, types.get(name, "text")) for name in wanted
            ]
            for row in range(batch.rows):
                yield {name: column[row] for name, column in zip(wanted, values, strict=True)}

    def get_rel_size(self, quals: Sequence[Qual], columns: Sequence[str]) -> tuple[int, int]:
        """Rows and their width, of which Multicorn takes the product for the cost."""
        cost = self.cost(self.arguments(self._parameter_quals(quals)))
        return math.ceil(cost.rows), max(1, math.ceil(cost.total / max(cost.rows, 1)))

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

    def _check_required(self) -> None:
        for group in self.groups():
            if not any(name in self.columns for name in group):
                raise missing(self.declaration, group)
