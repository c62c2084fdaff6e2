"""The edges of a graph: the table read once, or with an index on its columns only what a walk asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import BAD_DATA, AttentionError
from ruattn_fdw.kernels.arrays import runs
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.report import Report
from ruattn_fdw.source.companions import Number
from ruattn_fdw.source.edges import EdgeSource
from ruattn_fdw.source.ids import as_ids
from ruattn_fdw.source.rows import NESTING, quote


class EdgeReader:
    """Reads edges, whose ends are ids; all edges, once read, stay in `memo` for rescans."""

    def __init__(self, source: EdgeSource, memo: dict[str, Any], report: Report) -> None:
        self._source, self._memo, self._report = source, memo, report

    def around(self, nodes: np.ndarray) -> Edges:
        """The edges at the nodes with these ids; parallel edges repeat."""
        if self._source.indexed:
            with self._report.timing("read"):
                return self._read(nodes)
        edges = self.every()
        first = np.searchsorted(edges.centres, nodes, side="left")
        return edges.take(runs(first, np.searchsorted(edges.centres, nodes, side="right") - first))

    def every(self) -> Edges:
        """All edges by centre; parallel edges repeat."""
        kept = self._memo.get("edges")
        if kept is None or kept[0] != self._source:
            with self._report.timing("read"):
                edges = self._read(None)
                in_order = edges.take(np.argsort(edges.centres, kind="stable"))
            self._memo["edges"] = kept = (self._source, in_order)
        found: Edges = kept[1]
        return found

    def _read(self, nodes: np.ndarray | None) -> Edges:
        """The edges at these nodes, or all; a loop that is followed both ways is still one."""
        found, *turned = self._source.ways
        edges = self._select(*found, nodes)
        if not turned:
            return edges
        if nodes is None:
            others = Edges(edges.neighbours, edges.centres, edges.attributes)
        else:
            others = self._select(*turned[0], nodes)
        return edges.followed_by(others.take(others.centres != others.neighbours))

    def _select(self, centre: str, neighbour: str, nodes: np.ndarray | None) -> Edges:
        source, id_type = self._source, self._source.id_type
        arguments = () if nodes is None else (as_ids(id_type, nodes if id_type is None else nodes.tolist()),)
        kind, attribute = "id" if id_type is None else "text", source.attribute_column
        kinds = [kind, kind]
        if attribute is not None:
            kinds.append("float" if isinstance(attribute, Number) else "vector")
        with NESTING.one_deeper(source):
            columns, count, skipped = host_api.select(
                _statement(source, centre, neighbour, nodes is not None), kinds, source.label, arguments
            )
        self._report.count("Edges Read", count)
        empty = np.empty(0, np.int64 if id_type is None else np.str_)
        ends = [np.asarray(column) if count else empty for column in columns[:2]]
        attributes = None if attribute is None else self._attributes(columns[2], ends, count, skipped)
        return Edges(ends[0], ends[1], attributes)

    def _attributes(self, column: Any, ends: list[np.ndarray], count: int, skipped: int) -> np.ndarray:
        """What edges carry, as read; raises where it is missing or not finite."""
        hint = "Correct the edge, or leave it out with a view."
        if skipped:
            message = f"{self._source.label} of {skipped} edges is NULL"
            raise AttentionError(message, sqlstate=BAD_DATA, hint=hint)
        values = np.asarray(column, np.float64) if count else np.empty(0)
        wrong = ~np.isfinite(values.reshape(count, -1)).all(axis=1) if count else np.empty(0, bool)
        if wrong.any():
            place = int(np.argmax(wrong))
            what = "infinite" if np.isinf(values[place]).any() else "NULL or NaN"
            raise AttentionError(
                f"{self._source.name_of(ends[0][place], ends[1][place])} is {what}",
                sqlstate=BAD_DATA,
                hint=hint,
            )
        return values


def _statement(source: EdgeSource, centre: str, neighbour: str, restricted: bool) -> str:
    """The SELECT that reads edges from `centre` to `neighbour`; `restricted` to centres in $1."""
    ends = [f"t.{quote(column)}" for column in (centre, neighbour)]
    attribute = "" if source.attribute_column is None else f", t.{quote(source.attribute_column)}"
    statement = (
        f"SELECT {ends[0]}, {ends[1]}{attribute} FROM {quote(source.schema)}.{quote(source.name)} AS t "
        f"WHERE {ends[0]} IS NOT NULL AND {ends[1]} IS NOT NULL"
    )
    if not restricted:
        return statement
    if source.id_type is None:
        return f"{statement} AND {ends[0]} OPERATOR(pg_catalog.=) ANY ($1)"
    equals = f"OPERATOR({quote(source.id_type.equality_schema)}.=)"
    return f"{statement} AND {ends[0]} {equals} ANY ($1::{source.id_type.name}[])"
