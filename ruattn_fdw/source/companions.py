"""Columns read beside ids and vectors: what orders the rows, and the values that attention weighs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.host_records import ColumnInfo
from ruattn_fdw.source.relation import VECTOR_KINDS, Source, names_of, no_such_column

NUMBERS = {"smallint", "integer", "bigint", "real", "double precision", "numeric"}
MOMENTS = {"timestamp", "date"}


class Moment(str):
    """The name of a column of dates or timestamps, which are read as seconds since 1970."""


class Number(str):
    """The name of a column of numbers."""


class Flag(str):
    """The name of a column of truth values, which are read as 0 and 1."""


def with_order(source: Source, order_column: str) -> Source:
    """The source with the column that orders its rows: numbers, dates or timestamps."""
    columns = host_api.columns(source.oid)
    ordering = names_of(columns, _orders)
    column = _find(source, columns, order_column, ordering)
    if not _orders(column):
        raise AttentionError(
            f"{source.name}.{column.name} has type {column.type_name}, "
            "rows are ordered by numbers, dates or timestamps",
            hint=choices(order_column, ordering, "order columns"),
        )
    kind = Moment if _word(column) in MOMENTS else Number
    return replace(source, order_column=kind(column.name))


def orderable_columns(source: Source) -> list[str]:
    """The columns that can order the rows."""
    return names_of(host_api.columns(source.oid), _orders)


def is_orderable(source: Source, name: str) -> bool:
    """Whether there is a column of that name, and it can order the rows."""
    return any(column.name == name and _orders(column) for column in host_api.columns(source.oid))


def with_values(source: Source, value_column: str) -> Source:
    """The source with the column of its values: vectors, or numbers as values of one dimension."""
    if value_column == source.vector_column:
        return source
    columns = host_api.columns(source.oid)
    fitting = names_of(columns, _has_values)
    column = _find(source, columns, value_column, fitting)
    if column.kind in VECTOR_KINDS:
        return replace(source, value_column=column.name)
    if not _has_values(column):
        raise AttentionError(
            f"{source.name}.{column.name} has type {column.type_name}, values are vectors or numbers",
            hint=choices(value_column, fitting, "value columns"),
        )
    return replace(source, value_column=Number(column.name))


def with_numbers(source: Source, wanted: Mapping[str, str]) -> Source:
    """The source with columns of numbers or truth values, each under the name of the option that names it."""
    columns = host_api.columns(source.oid)
    fitting = names_of(columns, _counts)
    found = []
    for option, name in wanted.items():
        column = _find(source, columns, name, fitting)
        if not _counts(column):
            raise AttentionError(
                f"{source.name}.{name} has type {column.type_name}, {option} takes numbers or booleans",
                hint=choices(name, fitting, "columns of numbers or booleans"),
            )
        found.append((option, Flag(name) if column.type_name == "boolean" else Number(name)))
    return replace(source, number_columns=tuple(found))


def companions(source: Source) -> list[tuple[str, str]]:
    """(column, kind for `host_api.select`) of what is read beside vectors: values, numbers, order."""
    found = []
    if source.value_column is not None:
        found.append((source.value_column, "float" if isinstance(source.value_column, Number) else "vector"))
    found += [(column, "float") for _, column in source.number_columns]
    if source.order_column is not None:
        found.append((source.order_column, "float"))
    return found


def as_values(column: Any) -> np.ndarray:
    """A column of values as read, as float32 (n, width)."""
    array = np.asarray(column)
    return array.astype(np.float32)[:, None] if array.ndim == 1 else array


def _has_values(column: ColumnInfo) -> bool:
    return column.kind in VECTOR_KINDS or is_number(column)


def _orders(column: ColumnInfo) -> bool:
    return is_number(column) or _word(column) in MOMENTS


def _counts(column: ColumnInfo) -> bool:
    return is_number(column) or _word(column) == "boolean"


def is_number(column: ColumnInfo) -> bool:
    """Whether a column holds numbers."""
    return _word(column) in NUMBERS


def _word(column: ColumnInfo) -> str:
    """The type without its precision; of an array, and of types that others made, the whole name."""
    return column.type_name if column.type_name.endswith("]") else re.split(r"\(| with", column.type_name)[0]


def _find(source: Source, columns: Sequence[ColumnInfo], name: str, fitting: Sequence[str]) -> ColumnInfo:
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise no_such_column(source.name, name, fitting)
    return found
