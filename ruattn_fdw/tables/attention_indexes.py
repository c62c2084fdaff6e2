"""The table `attention_indexes`: every attention index, what it declares, and the copy that it keeps warm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.kept import KEPT
from ruattn_fdw.cache.standing import Standing, copies_of_indexes
from ruattn_fdw.declaration import Result, Table
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report

INDEXES = Table(
    name="attention_indexes",
    help="Every attention index on a table that you may read, and the copy of its vectors.",
    results=(
        Result("index", "regclass", "the index"),
        Result("relation", "regclass", "its table"),
        Result("vector_column", "text", "the column of the vectors"),
        Result("attention_type", "text", "mechanism that it declares, NULL for none"),
        Result("num_heads", "integer", "number of heads that it declares, NULL for none"),
        Result("head_dim", "integer", "size of a head that it declares, NULL for none"),
        Result("dtype", "text", "type of the numbers in the copy"),
        Result(
            "rows",
            "bigint",
            "vectors in the copy, also of rows that are gone; NULL while it is cold, and for you where row "
            "security may hide rows",
        ),
        Result("dim", "integer", "dimensions of the vectors in the copy"),
        Result("bytes", "bigint", "size of the copy's file"),
        Result("built_at", "timestamptz", "when the copy was built"),
        Result("checked_at", "timestamptz", "when a search last used it"),
        Result("hits", "bigint", "searches of this session that found it warm"),
        Result("state", "text", "warm, cold, invalid (it proves nothing) or partitioned (see its parts)"),
    ),
    example="SELECT count(*) FROM attention_indexes WHERE state = 'warm'",
)

# without a look-up in the caller's search_path
LISTED = """
SELECT i.indexrelid, i.indrelid, a.attname,
       CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'I' THEN 'partitioned'
            WHEN i.indisvalid AND i.indisready THEN 'cold' ELSE 'invalid' END,
       pg_catalog.array_to_json(c.reloptions), pg_catalog.row_security_active(i.indrelid)
FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
     JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
     JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
          AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
WHERE m.amname OPERATOR(pg_catalog.=) 'ruvector_attention'
  AND pg_catalog.has_any_column_privilege(i.indrelid, 'SELECT')
ORDER BY c.relname, i.indexrelid
"""


class AttentionIndexes(AttentionTable):
    """The catalogue's indexes, with the files that belong to them."""

    declaration = INDEXES

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """List the indexes by name."""
        columns, _, _ = host_api.select(LISTED, ("id", "id", "text", "text", "text", "text"))
        listed = list(_listed(columns))
        copies = copies_of_indexes() if listed else {}
        rows = [_described(facts, copies) for facts in listed]
        return iter([Batch(len(rows), {name: [row[name] for row in rows] for name in wanted})])


def _listed(columns: list[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a select whose first two columns are numbers."""
    indexes, relations = (np.asarray(column).tolist() for column in columns[:2])
    return zip(indexes, relations, *columns[2:], strict=True)


def _described(facts: tuple[Any, ...], copies: dict[int, Standing]) -> dict[str, Any]:
    """One row of the table."""
    index, relation, column, state, options, hidden = facts
    declared = dict(option.split("=", 1) for option in json.loads(options or "[]"))
    copy = _copy_of(index, state, copies)
    row = {
        "index": str(index),
        "relation": str(relation),
        "vector_column": column,
        "attention_type": declared.get("attention_type"),
        "num_heads": _number(declared.get("num_heads")),
        "head_dim": _number(declared.get("head_dim")),
        "dtype": declared.get("dtype", "float32"),
        "state": state if copy is None else "warm",
    }
    row |= _of_copy(copy)
    return row | {"rows": None} if hidden == "t" else row


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _copy_of(index: int, state: str, copies: dict[int, Standing]) -> Standing | None:
    """The copy that an index proves as it is now."""
    version = host_api.index_version(index) if state == "cold" and copies else None
    return None if version is None else copies.get(version.build)


def _of_copy(copy: Standing | None) -> dict[str, Any]:
    if copy is None:
        return dict.fromkeys(("rows", "dim", "bytes", "built_at", "checked_at", "hits"))
    return {
        "rows": copy.vectors,
        "dim": copy.dim,
        "bytes": copy.size,
        "built_at": _moment(copy.built),
        "checked_at": _moment(copy.used),
        "hits": KEPT.hits(copy.name),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
