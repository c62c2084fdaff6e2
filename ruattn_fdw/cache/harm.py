"""Answers made of a copy whose file was cut short meanwhile: never given out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ruattn_fdw.errors import IO_ERROR, AttentionError
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch


def unharmed(run: Callable[[], Iterator[Batch]], memo: dict[str, Any], report: Report) -> Iterator[Batch]:
    """The batches of `run`, which is run again where a file was damaged before its first batch was there.

    It then finds no such file, and makes another or reads the source. Later there is only an error to give.
    """
    try:
        batches = run()
        first = next(batches, None)
    except AttentionError:
        if not report.harmed():
            raise
    if report.harmed():
        for kept in set(memo) - {"report"}:
            del memo[kept]
        report.forget_copies()
        batches = run()
        first = next(batches, None)
    return _checked(first, batches, report)


def _checked(batch: Batch | None, batches: Iterator[Batch], report: Report) -> Iterator[Batch]:
    while batch is not None:
        if report.harmed():
            raise AttentionError(
                "a copy of a vector column was damaged while it was read",
                sqlstate=IO_ERROR,
                hint="Run the query again. Nobody but the server may change its files in base/pgsql_tmp.",
            )
        yield batch
        batch = next(batches, None)
