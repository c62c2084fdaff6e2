"""Rows of a source that are texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.host_records import ColumnInfo
from ruattn_fdw.report import Report
from ruattn_fdw.source.relation import TEXT_KINDS, Source, names_of, no_such_column, source_of
from ruattn_fdw.source.rows import ids_and_names, read_columns, read_once, shown_ids


@dataclass(frozen=True)
class TextRows:
    """Ids int64 (n,), their texts, and how many rows were skipped for a NULL; names as in `rows.Rows`."""

    ids: np.ndarray
    texts: Sequence[str]
    skipped: int
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def shown_ids(self, rows: np.ndarray) -> np.ndarray | list[str]:
        """The ids of these rows as a result column."""
        return shown_ids(self.ids, self.names, rows)


def resolve_texts(table_name: str, id_column: str | None, text_column: str | None, id_type: str) -> Source:
    """The source that these parameters mean, with the column of texts in place of that of vectors."""

    def choose(relation_name: str, columns: Sequence[ColumnInfo], ids: str) -> str:
        return _choose_text_column(relation_name, columns, text_column, ids)

    return source_of(table_name, id_column, id_type, choose)


def read_texts(
    source: Source, candidates: np.ndarray | str | None, memo: dict[str, Any], report: Report
) -> TextRows:
    """The texts of the source, or those of the candidates."""
    return read_once("texts", _select, source, candidates, memo, report)


def _select(source: Source, ids: np.ndarray | str | None) -> TextRows:
    if ids is not None and not len(ids):
        return TextRows(np.empty(0, np.int64), [], 0)
    columns, count, _ = read_columns(source, ids, (source.vector_column,), ("text",))
    row_ids, names = ids_and_names(columns[0])
    texts: list[str | None] = columns[1]
    kept = [row for row, text in enumerate(texts) if text is not None]
    return TextRows(
        row_ids[kept],
        [text for text in texts if text is not None],
        count - len(kept),
        None if names is None else [names[row] for row in kept],
    )


def _choose_text_column(
    relation_name: str, columns: Sequence[ColumnInfo], wanted: str | None, id_column: str
) -> str:
    """The column of the texts: the one asked for, else the only one besides the ids that may be read."""
    texts = names_of(columns, lambda column: column.kind in TEXT_KINDS)
    if wanted is None:
        return _only(relation_name, [name for name in texts if name != id_column])
    column = next((column for column in columns if column.name == wanted), None)
    if column is None:
        raise no_such_column(relation_name, wanted, texts)
    if column.kind not in TEXT_KINDS:
        raise AttentionError(
            f"{relation_name}.{column.name} has type {column.type_name}, no text type",
            hint=choices(wanted, texts, "text columns"),
        )
    return column.name


def _only(relation_name: str, texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    if not texts:
        raise AttentionError(
            f"{relation_name} has no column of a text type",
            hint="Name a relation with one: a view can make texts of other columns.",
        )
    raise AttentionError(
        f"{relation_name} has {len(texts)} text columns: {', '.join(texts)}",
        hint=f"Say which: text_column = '{texts[0]}'.",
    )
