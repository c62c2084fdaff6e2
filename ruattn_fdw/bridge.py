"""The functions that the bundled host calls; its C code knows no other module of this package."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import functions, host_api
from ruattn_fdw.contract import ColumnDefinition
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.kernels import attend, registry
from ruattn_fdw.parameters import invalid_option
from ruattn_fdw.pooling import pool
from ruattn_fdw.report import Report
from ruattn_fdw.schema_import import import_schema
from ruattn_fdw.tables.options import check_options, find_handler
from ruattn_fdw.tables.shared import kernel_errors
from ruattn_fdw.threads import THREADS
from ruattn_fdw.values import Unknown

__all__ = [
    "Scan",
    "Unknown",
    "describe",
    "estimate",
    "explain",
    "function",
    "import_schema",
    "open_table",
    "pool",
    "preload",
    "start",
    "validate",
]


class Scan:
    """One run of a table; `next` gives its rows in batches."""

    def __init__(self, batches: Iterator[Batch], columns: Sequence[str], report: Report) -> None:
        self._batches = batches
        self._columns = columns
        self._report = report

    def next(self) -> tuple[int, list[Any]] | None:
        """The next batch, (rows, columns in the order asked for), or None after the last."""
        with self._report.timing("emit"):
            batch = next(self._batches, None)
            if batch is None:
                return None
            return batch.rows, [batch.columns[name] for name in self._columns]

    def report(self) -> list[tuple[str, object, str | None]]:
        """Lines for EXPLAIN (ANALYZE): (label, value, unit)."""
        return self._report.lines()


def open_table(options: Mapping[str, str], columns: Sequence[tuple[str, str]]) -> AttentionTable:
    """The handler of a foreign table with these OPTIONS and columns (name, type)."""
    definitions = {name: ColumnDefinition(name, type_name=type_name) for name, type_name in columns}
    return find_handler(options)(options, definitions)


def describe(
    handler: AttentionTable,
) -> tuple[list[int], list[list[int]], list[tuple[int, bool]], str]:
    """(role of each column, groups of required columns, orders of arrival, HINT with a working query)."""
    table = handler.declaration
    index = {name: place for place, name in enumerate(handler.columns)}
    roles = [handler.layout.role(name) for name in handler.columns]
    groups = [[index[name] for name in group if name in index] for group in handler.groups()]
    order = [(index[name], descending) for name, descending in table.order if name in index]
    return roles, groups, order, table.hint


def estimate(handler: AttentionTable, quals: Mapping[str, object]) -> tuple[float, float, float]:
    """(rows, startup cost, total cost) under these quals, some of which may be Unknown."""
    cost = handler.cost(handler.arguments(quals))
    return cost.rows, cost.startup, cost.total


def explain(
    handler: AttentionTable, quals: Mapping[str, object], verbose: bool = False
) -> list[tuple[str, object]]:
    """Lines for EXPLAIN: (label, value)."""
    arguments = handler.arguments(quals)
    return [*handler.explanation(arguments), *(handler.details(arguments) if verbose else [])]


def start(
    handler: AttentionTable, quals: Mapping[str, object], columns: Sequence[str], memo: dict[str, Any]
) -> Scan:
    """Run the table; `memo` lives as long as the executor node and carries what rescans can use again."""
    THREADS.use(host_api.integer_setting("threads"))
    report = memo.setdefault("report", Report())
    return Scan(handler.batches(quals, columns, memo, report), columns, report)


def validate(kind: str, options: Mapping[str, str]) -> None:
    """Check the OPTIONS of a wrapper, server, user mapping or foreign table; only the last takes any.

    Of an index the host checks all but the name of the mechanism. It need not be available: a dump must load.
    """
    if kind == "index":
        with kernel_errors():
            registry.find(options["attention_type"])
        return
    if kind == "foreign table":
        check_options(find_handler(options).declaration, options)
        return
    for name in options:
        raise invalid_option(name, [])


def function(name: str) -> Callable[..., Any]:
    """What runs an SQL function: it gives a value, or for a set batches, each as `Scan.next` gives them.

    The host asks once for each call in a query.
    """
    THREADS.use(host_api.integer_setting("threads"))
    return functions.runner(name)


def preload() -> None:
    """Run one small attention: what numpy and BLAS set up at first use is then there for the first query.

    So is what numpy imports for `unique`. What there is by then stays: a collection that looked at it would
    write to pages that sessions share with the postmaster.
    """
    vectors = np.ones((1, 8), np.float32)
    attend.attend(registry.find("multi_head"), vectors[0], vectors)
    np.unique(vectors)
    gc.collect()
    gc.freeze()
