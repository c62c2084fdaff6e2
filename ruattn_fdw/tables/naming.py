"""Sources named by parameters of other names than table_name, id_column and vector_column."""

from __future__ import annotations

import numpy as np

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.source.relation import Source, resolve
from ruattn_fdw.source.rows import Rows


def resolve_as(arguments: Arguments, table: str, id_column: str, vector_column: str) -> Source:
    """The source that the parameters of these names mean, with the columns that were chosen put in effect."""
    try:
        id_type = arguments.id_type(id_column)
        source = resolve(arguments[table], arguments[id_column], arguments[vector_column], id_type)
    except AttentionError as error:
        if error.hint is not None:
            error.hint = error.hint.replace("vector_column", vector_column).replace(
                "Give id_column", f"Give {id_column}"
            )
        raise
    arguments.settle(id_column, source.id_column)
    arguments.settle(vector_column, source.vector_column)
    return source


def by_id(rows: Rows) -> Rows:
    """The rows in ascending order of id."""
    if len(rows) < 2 or (np.diff(rows.ids[:]) >= 0).all():
        return rows
    return rows.take(np.argsort(rows.ids[:], kind="stable"))
