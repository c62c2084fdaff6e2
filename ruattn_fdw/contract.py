"""The Multicorn contract, for servers without Multicorn2.

A handler is a class with `execute`; the planner asks it for sizes, path keys and sort orders through the
other methods, all of which have an answer here already. `resolve` gives Multicorn2's own module where it is
there, and else registers this one as `multicorn`, so that handlers written for Multicorn run on the bundled
host as they are.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple


class _Quantifier:
    """How a list on the right of an operator is meant: one match is enough, or every element must match."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ANY = _Quantifier("ANY")
ALL = _Quantifier("ALL")


class Qual:
    """A condition `field_name operator value`; with a list the operator is a pair (operator, is it ANY)."""

    def __init__(self, field_name: str, operator: str | tuple[str, bool], value: Any) -> None:
        self.field_name = field_name
        self.operator = operator
        self.value = value

    @property
    def is_list_operator(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.operator, tuple)

    @property
    def list_any_or_all(self) -> _Quantifier | None:
        """ANY or ALL for a list operator, else None."""
        if not isinstance(self.operator, tuple):
            return None
        return ANY if self.operator[1] else ALL

    def __repr__(self) -> str:
        operator = self.operator[0] if isinstance(self.operator, tuple) else self.operator
        quantifier = f"{self.list_any_or_all} " if self.is_list_operator else ""
        return f"{self.field_name} {operator} {quantifier}{self.value!r}"


class SortKey(NamedTuple):
    """One key of an ORDER BY."""

    attname: str
    attnum: int
    is_reversed: bool
    nulls_first: bool
    collate: str | None


class ColumnDefinition:
    """A column of a foreign table."""

    def __init__(
        self,
        column_name: str,
        type_oid: int = 0,
        typmod: int = -1,
        type_name: str = "",
        base_type_name: str = "",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.column_name = column_name
        self.type_oid = type_oid
        self.typmod = typmod
        self.type_name = type_name
        self.base_type_name = base_type_name
        self.options = dict(options or {})


class TableDefinition:
    """A foreign table that IMPORT FOREIGN SCHEMA shall create."""

    def __init__(
        self,
        table_name: str,
        schema: str | None = None,
        columns: Sequence[ColumnDefinition] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.table_name = table_name
        self.schema = schema
        self.columns = list(columns or ())
        self.options = dict(options or {})


class ForeignDataWrapper:
    """Base of every handler; `fdw_columns` maps column names to ColumnDefinition."""

    def __init__(self, fdw_options: Mapping[str, str], fdw_columns: Mapping[str, ColumnDefinition]) -> None:
        self.fdw_options = fdw_options
        self.fdw_columns = fdw_columns

    def get_rel_size(self, quals: Sequence[Qual], columns: Sequence[str]) -> tuple[int, int]:
        """Expected rows, and bytes of a row."""
        return 100_000_000, 100 * max(len(columns), 1)

    def get_path_keys(self) -> Sequence[tuple[tuple[str, ...], int]]:
        """Sets of columns that can be looked up, each with the rows expected for one value."""
        return ()

    def can_sort(self, sortkeys: Sequence[SortKey]) -> Sequence[SortKey]:
        """The leading sort keys that `execute` can honour."""
        return ()

    def can_limit(self, limit: int | None, offset: int | None) -> bool:
        """Whether `execute` yields no more than the LIMIT asks for."""
        return False

    def execute(
        self, quals: Sequence[Qual], columns: Sequence[str], sortkeys: Sequence[SortKey] | None = None
    ) -> Iterable[Mapping[str, Any] | Sequence[Any]]:
        """The rows, each a mapping by column name or a sequence in the order of the columns."""
        raise NotImplementedError(f"{type(self).__name__} does not read")

    def explain(
        self,
        quals: Sequence[Qual],
        columns: Sequence[str],
        sortkeys: Sequence[SortKey] | None = None,
        verbose: bool = False,
    ) -> Iterable[str]:
        """Lines for EXPLAIN."""
        return ()

    @classmethod
    def import_schema(
        cls,
        schema: str,
        srv_options: Mapping[str, str],
        options: Mapping[str, str],
        restriction_type: str | None,
        restricts: Sequence[str],
    ) -> Sequence[TableDefinition]:
        """The tables of a remote schema; `restriction_type` is None, 'limit' or 'except'."""
        raise NotImplementedError(f"{cls.__name__} imports no schema")


def resolve() -> ModuleType:
    """The module to use as `multicorn`: Multicorn2's where it can be imported, else this one.

    PyPI's `multicorn` is an unrelated package, so a module of that name counts only if it has the contract.
    """
    try:
        module = importlib.import_module("multicorn")
    except ImportError:
        module = None
    if module is None or not hasattr(module, "ForeignDataWrapper"):
        module = sys.modules[__name__]
        sys.modules["multicorn"] = module
    return module
