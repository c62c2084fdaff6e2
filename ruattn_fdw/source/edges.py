"""The edges of a graph: the table read once, or with an index on its columns only what a walk asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import AttentionError, choices
from ruattn_fdw.host_api import ColumnInfo, RelationInfo
from ruattn_fdw.report import Report
from ruattn_fdw.source.ids import IdType, as_ids, find_id_type
from ruattn_fdw.source.relation import Source, estimated_rows, find_relation, no_such_column
from ruattn_fdw.source.rows import NESTING, quote

NAMES = (("source", "target"), ("src", "dst"), ("from_id", "to_id"))
"""How the two columns are called where nothing else is said."""

End = TypeVar("End", str, np.ndarray)

INDEXED = """
SELECT a.attname
FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_attribute a
          ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
     JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
     JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
WHERE i.indrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND i.indisvalid AND i.indpred IS NULL
      AND m.amname IN ('btree', 'hash')
"""


@dataclass(frozen=True)
class EdgeSource:
    """A relation with an edge in each row. id_type is None where both ends are integers.

    indexed: whether the edges around a node can be found without reading all.
    """

    schema: str
    name: str
    source_column: str
    target_column: str
    direction: str
    rows: float | None
    id_type: IdType | None
    indexed: bool

    @property
    def description(self) -> str:
        """The relation and its columns as EXPLAIN names them."""
        return f"{self.schema}.{self.name} ({self.source_column}, {self.target_column})"

    @property
    def ways(self) -> list[tuple[str, str]]:
        """(column of the centre, column of the neighbour) for each way that edges are followed."""
        return ways(self.source_column, self.target_column, self.direction)


def resolve_edges(
    edge_table: str, source_column: str | None, target_column: str | None, direction: str, nodes: Source
) -> EdgeSource:
    """The edges that these parameters mean, between nodes of that source."""
    relation = find_relation(edge_table)
    columns = host_api.columns(relation.oid)
    ends = _choose_ends(relation, columns, source_column, target_column)
    for end in ends:
        _check_end(relation, end, nodes)
    found = EdgeSource(
        relation.schema,
        relation.name,
        ends[0].name,
        ends[1].name,
        direction,
        estimated_rows(relation),
        nodes.id_type,
        False,
    )
    first_columns, _, _ = host_api.select(INDEXED, ("text",), args=(relation.oid,))
    indexed = all(centre in first_columns[0] for centre, _ in found.ways)
    return EdgeSource(**{**vars(found), "indexed": indexed})


def _choose_ends(
    relation: RelationInfo, columns: Sequence[ColumnInfo], source: str | None, target: str | None
) -> tuple[ColumnInfo, ColumnInfo]:
    by_name = {column.name: column for column in columns}
    for given in (source, target):
        if given is not None and given not in by_name:
            raise no_such_column(relation.name, given, list(by_name))
    for source_name, target_name in NAMES:
        pair = (source or source_name, target or target_name)
        if pair[0] in by_name and pair[1] in by_name:
            return by_name[pair[0]], by_name[pair[1]]
    integers = [column.name for column in columns if column.kind == "integer"]
    raise AttentionError(
        f"{relation.name} has no columns {', '.join('/'.join(pair) for pair in NAMES)}",
        hint=f"Give source_column and target_column; integer columns are: {', '.join(integers) or 'none'}.",
    )


def _check_end(relation: RelationInfo, end: ColumnInfo, nodes: Source) -> None:
    """Raise unless the column holds ids of these nodes."""
    is_integer = end.kind == "integer"
    if nodes.id_type is None and is_integer:
        return
    if nodes.id_type is not None and not is_integer and find_id_type(relation.oid, end.name) == nodes.id_type:
        return
    fitting = [
        column.name
        for column in host_api.columns(relation.oid)
        if (column.kind == "integer" if nodes.id_type is None else column.type_name == nodes.id_type.name)
    ]
    raise AttentionError(
        f"{relation.name}.{end.name} has type {end.type_name}, {nodes.name}.{nodes.id_column} has type "
        f"{'bigint' if nodes.id_type is None else nodes.id_type.name}",
        hint=choices(end.name, fitting, "edge columns"),
    )


class Edges:
    """Answers which edges start at given nodes; all edges, once read, stay in `memo` for rescans."""

    def __init__(self, source: EdgeSource, memo: dict[str, Any], report: Report) -> None:
        self._source, self._memo, self._report = source, memo, report

    def around(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ids (centres, neighbours) of the ends of each edge at these nodes; parallel edges repeat."""
        with self._report.timing("read"):
            if self._source.indexed:
                return self._read_around(nodes)
            centres, neighbours = self._all()
        first = np.searchsorted(centres, nodes, side="left")
        counts = np.searchsorted(centres, nodes, side="right") - first
        starts = np.cumsum(counts) - counts
        places = np.repeat(first - starts, counts) + np.arange(counts.sum())
        return np.repeat(nodes, counts), neighbours[places]

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        kept = self._memo.get("edges")
        if kept is None or kept[0] != self._source:
            centres, neighbours = self._read_all()
            order = np.argsort(centres, kind="stable")
            self._memo["edges"] = kept = (self._source, (centres[order], neighbours[order]))
        edges: tuple[np.ndarray, np.ndarray] = kept[1]
        return edges

    def _read_all(self) -> tuple[np.ndarray, np.ndarray]:
        starts, ends = self._select(self._source.source_column, self._source.target_column, None)
        return _joined(ways(starts, ends, self._source.direction))

    def _read_around(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not len(nodes):
            return nodes, nodes
        return _joined([self._select(*way, nodes) for way in self._source.ways])

    def _select(self, centre: str, neighbour: str, nodes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        id_type = self._source.id_type
        arguments = () if nodes is None else (as_ids(id_type, nodes if id_type is None else nodes.tolist()),)
        kind = "id" if id_type is None else "text"
        with NESTING.one_deeper(self._source):
            columns, count, _ = host_api.select(
                _statement(self._source, centre, neighbour, nodes is not None),
                (kind, kind),
                self._source.name,
                arguments,
            )
        self._report.count("Edges Read", count)
        empty = np.empty(0, np.int64 if id_type is None else np.str_)
        ends = [np.asarray(column) if count else empty for column in columns]
        return ends[0], ends[1]


def ways(source: End, target: End, direction: str) -> list[tuple[End, End]]:
    """(centre, neighbour) for each way that edges from source to target are followed."""
    along, against = (source, target), (target, source)
    return {"out": [along], "in": [against], "both": [along, against]}[direction]


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    centres, neighbours = zip(*parts, strict=True)
    return np.concatenate(centres), np.concatenate(neighbours)


def _statement(source: EdgeSource, centre: str, neighbour: str, restricted: bool) -> str:
    """The SELECT that reads edges from `centre` to `neighbour`; `restricted` to centres in $1."""
    ends = [f"t.{quote(column)}" for column in (centre, neighbour)]
    statement = (
        f"SELECT {ends[0]}, {ends[1]} FROM {quote(source.schema)}.{quote(source.name)} AS t "
        f"WHERE {ends[0]} IS NOT NULL AND {ends[1]} IS NOT NULL"
    )
    if not restricted:
        return statement
    if source.id_type is None:
        return f"{statement} AND {ends[0]} OPERATOR(pg_catalog.=) ANY ($1)"
    equals = f"OPERATOR({quote(source.id_type.equality_schema)}.=)"
    return f"{statement} AND {ends[0]} {equals} ANY ($1::{source.id_type.name}[])"
