"""Columns of a user's own table that are neither results nor parameters: read from the row of the source.

They are read batch by batch, by id, when the rows are given out: rows that nobody asks for cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import NO_SUCH_COLUMN, NOT_SUPPORTED, AttentionError, choices
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import schemas_of
from ruattn_fdw.source.batch import Batch, pieces, python_values
from ruattn_fdw.source.ids import as_ids, find_id_type
from ruattn_fdw.source.relation import Source, find_relation, names_of
from ruattn_fdw.source.rows import read_columns

LONGEST_BATCH = 1024
"""Rows whose columns are held as text at one time."""


def with_extras(
    batches: Iterator[Batch], arguments: Arguments, names: Sequence[str], report: Report
) -> Iterator[Batch]:
    """The batches with these columns of the source added, every value in its text form.

    Raises where a column does not exist at once, not with the first row.
    """
    source = _source_of(arguments, names)
    row = arguments.table.source_row
    assert row is not None
    return _added(batches, source, row.result, names, report)


def _added(
    batches: Iterator[Batch], source: Source, id_result: str, names: Sequence[str], report: Report
) -> Iterator[Batch]:
    for batch in batches:
        for piece in pieces(batch, LONGEST_BATCH):
            with report.timing("read"):
                values = _read(source, python_values(piece.columns[id_result], piece.rows), names)
            yield Batch(piece.rows, {**piece.columns, **values})


def _source_of(arguments: Arguments, names: Sequence[str]) -> Source:
    """The relation that the ids of the result belong to; scans have settled how its id column is called."""
    row = arguments.table.source_row
    assert row is not None
    if arguments[row.relation] is None:
        raise AttentionError(
            f'column "{names[0]}" is neither a result nor a parameter, '
            f"and there is no {row.relation} to read it from",
            sqlstate=NO_SUCH_COLUMN,
            hint=f"Give {row.relation}, or leave the column out.",
        )
    if row.relation == arguments.table.sharded and schemas_of(arguments):
        raise AttentionError(
            f'column "{names[0]}" would be read from {arguments[row.relation]}, which lies on shards',
            sqlstate=NOT_SUPPORTED,
            hint="Import that relation of each shard too, and join the answer with a UNION ALL of them.",
        )
    relation = find_relation(arguments[row.relation])
    found = host_api.columns(relation.oid)
    columns = {column.name: column for column in found}
    known = [*(column.name for column in arguments.table.columns()), *names_of(found, lambda column: True)]
    for name in names:
        if name not in columns:
            raise AttentionError(
                f'column "{name}" of relation "{relation.name}" does not exist',
                sqlstate=NO_SUCH_COLUMN,
                detail=f"It is neither a result nor a parameter of {arguments.table.name}, "
                "so it is read from the source.",
                hint=choices(name, dict.fromkeys(known), "columns"),
            )
    id_column = arguments[row.id_column]
    id_type = None if columns[id_column].kind == "integer" else find_id_type(relation.oid, id_column)
    return Source(relation.oid, relation.schema, relation.name, id_column, names[0], None, id_type)


def _read(source: Source, ids: Sequence[Any], names: Sequence[str]) -> dict[str, list[str | None]]:
    """The columns of the rows with these ids, in the order of the ids; None for the id None."""
    wanted = as_ids(source.id_type, [row_id for row_id in ids if row_id is not None])
    columns, count, _ = read_columns(source, wanted, names, ("text",) * len(names))
    found_ids = columns[0] if isinstance(columns[0], list) else np.asarray(columns[0]).tolist()
    places: dict[Any, int] = {}
    for place in range(count):
        first = places.setdefault(found_ids[place], place)
        if any(column[first] != column[place] for column in columns[1:]):
            raise AttentionError(
                f"{source.name} has several rows with {source.id_column} {found_ids[place]}, "
                f"and they differ in {', '.join(names)}",
                hint="Name an id_column without repeated values, or leave these columns out.",
            )
    return {
        name: [column[places[row_id]] if row_id in places else None for row_id in ids]
        for name, column in zip(names, columns[1:], strict=True)
    }
