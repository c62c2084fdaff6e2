"""Rows of a source that are sets of vectors, or sets out of a table with a row for each of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.kernels.sets import VectorSets
from ruattn_fdw.report import Report
from ruattn_fdw.source.ids import as_id, as_ids
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import ids_and_names, read_columns, read_once, shown_ids


@dataclass(frozen=True)
class SetRows:
    """Ids int64 (n,), each once, with their sets; the rows skipped for a NULL; names as in `rows.Rows`."""

    ids: np.ndarray
    sets: VectorSets
    skipped: int
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def shown_ids(self, rows: np.ndarray) -> np.ndarray | list[str]:
        """The ids of these rows as a result column."""
        return shown_ids(self.ids, self.names, rows)


def read_sets(
    source: Source, candidates: np.ndarray | str | None, memo: dict[str, Any], report: Report
) -> SetRows:
    """The sets of the source, or those of the candidates; rows with the same id are one set."""
    return read_once("sets", _select, source, candidates, memo, report)


def read_set(source: Source, row_id: int | str, report: Report) -> np.ndarray:
    """The vectors of one set, float32 (t, dimensions)."""
    with report.timing("read"):
        found = _select(source, as_ids(source.id_type, [as_id(source.id_type, row_id)]))
    if len(found):
        return found.sets.vectors
    if found.skipped:
        raise AttentionError(
            f"query_id {row_id} has no vectors, {source.label} is NULL there",
            hint="Name a row that has some.",
        )
    raise AttentionError(
        f"query_id {row_id} is not in {source.name}.{source.id_column}",
        hint="Name a row that the source shows.",
    )


def _select(source: Source, ids: np.ndarray | str | None) -> SetRows:
    if ids is not None and not len(ids):
        return _no_sets(0)
    columns, count, skipped = read_columns(source, ids, (source.vector_column,), ("vectors",))
    if not count:
        return _no_sets(skipped)
    row_ids, names = ids_and_names(columns[0])
    vectors, counts = (np.asarray(part) for part in columns[1])
    bounds = np.concatenate(([0], np.cumsum(counts)))
    return _merged(row_ids, names, VectorSets(vectors, bounds), skipped)


def _merged(ids: np.ndarray, names: Sequence[str] | None, sets: VectorSets, skipped: int) -> SetRows:
    """Rows of one id made one set; where ids repeat, their rows are brought together first."""
    if len(np.unique(ids)) == len(ids):
        return SetRows(ids, sets, skipped, names)
    if (np.diff(ids) < 0).any():
        order = np.argsort(ids, kind="stable")
        ids, sets = ids[order], sets.take(order)
    firsts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
    bounds = np.append(sets.bounds[firsts], sets.bounds[-1])
    kept = names if names is None else [names[row] for row in firsts.tolist()]
    return SetRows(ids[firsts], VectorSets(sets.vectors, bounds), skipped, kept)


def _no_sets(skipped: int) -> SetRows:
    return SetRows(
        np.empty(0, np.int64), VectorSets(np.empty((0, 0), np.float32), np.zeros(1, np.intp)), skipped
    )
