"""The rows of a source as arrays: ids and keys, read through the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import TOO_COMPLEX, AttentionError
from ruattn_fdw.report import Report
from ruattn_fdw.source.relation import Source

MAX_NESTING = 8


@dataclass(frozen=True)
class Rows:
    """Ids int64 (n,), keys float32 (n, dimensions), and the number of rows skipped for their NULL vector."""

    ids: np.ndarray
    keys: np.ndarray
    skipped: int

    def __len__(self) -> int:
        return len(self.ids)


class Nesting:
    """How many reads run inside each other: a source may itself be an attention table or a view of one."""

    def __init__(self) -> None:
        self._depth = 0

    @contextmanager
    def one_deeper(self, source: Source) -> Iterator[None]:
        """Count one read; the error of a source that reads itself, long before the stack ends."""
        if self._depth == MAX_NESTING:
            raise AttentionError(
                f"{source.schema}.{source.name} is read {MAX_NESTING} searches deep, it seems to read itself",
                sqlstate=TOO_COMPLEX,
                hint="Name a source that does not depend on this search.",
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


_NESTING = Nesting()

NO_ROWS = Rows(np.empty(0, np.int64), np.empty((0, 0), np.float32), 0)


def read_rows(source: Source, candidates: np.ndarray | None, memo: dict[str, Any], report: Report) -> Rows:
    """The rows of the source, or those of them whose id is a candidate.

    `memo` keeps the last rows read: rescans of an executor node run under one snapshot.
    """
    key = (source, None if candidates is None else candidates.tobytes())
    kept = memo.get("rows")
    if kept is not None and kept[0] == key:
        rows: Rows = kept[1]
        return rows
    with report.timing("read"):
        rows = _select(source, None if candidates is None else np.unique(candidates))
    report.rows_read += len(rows)
    report.nulls_skipped += rows.skipped
    memo["rows"] = (key, rows)
    return rows


def read_vector(source: Source, row_id: int, report: Report) -> np.ndarray:
    """The vector of one row, float32 (dimensions,)."""
    with report.timing("read"):
        rows = _select(source, np.array([row_id], np.int64))
    if len(rows) == 1:
        vector: np.ndarray = rows.keys[0]
        return vector
    if len(rows) > 1:
        raise AttentionError(
            f"query_id {row_id} means {len(rows)} rows, {source.name}.{source.id_column} is not unique"
        )
    if rows.skipped:
        raise AttentionError(f"query_id {row_id} has no vector, {source.label} is NULL there")
    raise AttentionError(f"query_id {row_id} is not in {source.name}.{source.id_column}")


def check_dimensions(query: np.ndarray, rows: Rows, source: Source) -> None:
    """Raise unless the query is as long as the keys."""
    if len(rows) and query.shape[0] != rows.keys.shape[1]:
        raise AttentionError(
            f"query has {query.shape[0]} dimensions, {source.label} has {rows.keys.shape[1]}"
        )


def select_statement(source: Source, restricted: bool) -> str:
    """The SELECT that reads ids and vectors; `restricted` adds `WHERE id = ANY ($1)`."""
    id_column, vector_column = quote(source.id_column), quote(source.vector_column)
    statement = (
        f"SELECT t.{id_column}, t.{vector_column} FROM {quote(source.schema)}.{quote(source.name)} AS t"
    )
    return f"{statement} WHERE t.{id_column} OPERATOR(pg_catalog.=) ANY ($1)" if restricted else statement


def quote(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _select(source: Source, ids: np.ndarray | None) -> Rows:
    if ids is not None and not len(ids):
        return NO_ROWS
    with _NESTING.one_deeper(source):
        columns, count, skipped = host_api.select(
            select_statement(source, restricted=ids is not None),
            ("id", "vector"),
            source.label,
            () if ids is None else (ids,),
        )
    if not count:
        return Rows(NO_ROWS.ids, NO_ROWS.keys, skipped)
    return Rows(np.asarray(columns[0]), np.asarray(columns[1]), skipped)
