"""The nodes of a graph: their features, read as a walk comes upon them."""

from __future__ import annotations

import numpy as np

from ruattn_fdw.errors import BAD_DATA, AttentionError
from ruattn_fdw.kernels.edges import Edges
from ruattn_fdw.memory import check_memory
from ruattn_fdw.report import Report
from ruattn_fdw.source.ids import as_id
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows, read_once, select_rows


class Nodes:
    """Nodes by index, in the order in which they were met: the first is the one that the walk starts from.

    ids (n,): int64 or texts. features float32 (n, dimensions).
    """

    def __init__(self, source: Source, start: int | str, report: Report) -> None:
        self._source, self._report = source, report
        wanted = as_id(source.id_type, start)
        self.ids = np.array([wanted], np.int64 if source.id_type is None else np.str_)
        self._missing = self.ids[:0]
        rows = self._read(self.ids)
        if not len(rows):
            what = f"has no features, {source.label} is NULL there" if rows.skipped else "is not in"
            where = "" if rows.skipped else f" {source.name}.{source.id_column}"
            raise AttentionError(
                f"query_node_id {start} {what}{where}", hint="Name a node that has a row with features."
            )
        self._buffer = rows.keys
        if rows.names is not None:
            self.ids = np.array(rows.names)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def features(self) -> np.ndarray:
        """The features of the nodes met so far."""
        return self._buffer[: len(self)]

    def meet(self, ids: np.ndarray) -> None:
        """Read the features of those nodes that are new; nodes without a row or features are missing."""
        new = np.setdiff1d(np.setdiff1d(ids, self.ids), self._missing)
        if not len(new):
            return
        rows = self._read(new)
        found = rows.ids[:] if rows.names is None else np.array(rows.names, dtype=np.str_)
        order = np.argsort(found, kind="stable")
        self._missing = np.concatenate([self._missing, np.setdiff1d(new, found)])
        self._report.count("Missing Nodes", len(new) - len(found))
        if len(found):
            in_order = (np.diff(order) > 0).all()
            self._add(found[order], rows.keys if in_order else rows.keys[order])

    def indexed(self, edges: Edges) -> Edges:
        """Edges between ids as edges between indexes, less those at missing nodes."""
        order = np.argsort(self.ids)
        known, ends, there = self.ids[order], [], np.ones(len(edges), bool)
        for ids in (edges.centres, edges.neighbours):
            places = np.searchsorted(known, ids).clip(max=len(known) - 1)
            there &= known[places] == ids
            ends.append(order[places])
        return Edges(ends[0], ends[1], edges.attributes).take(there)

    def _read(self, ids: np.ndarray) -> Rows:
        wanted = ids if self._source.id_type is None else ids.tolist()
        rows = read_once("rows", select_rows, self._source, wanted, {}, self._report)
        found = rows.ids[:] if rows.names is None else np.array(rows.names, dtype=np.str_)
        values, counts = np.unique(found, return_counts=True)
        if len(values) < len(found):
            twice = values[np.argmax(counts)]
            raise AttentionError(
                f"{self._source.id_column} {twice} means {counts.max()} rows of {self._source.name}",
                hint="Name a node_id_column without repeated values.",
            )
        return rows

    def _add(self, ids: np.ndarray, features: np.ndarray) -> None:
        if features.shape[1] != self.features.shape[1]:
            node = f"{self._source.label} of {self._source.id_column} {ids[0]}"
            raise AttentionError(
                f"{node} has {features.shape[1]} dimensions, of {self.ids[0]} {self.features.shape[1]}",
                sqlstate=BAD_DATA,
                hint="All features must have the same number of dimensions.",
            )
        size = self.features.nbytes + features.nbytes
        check_memory(f"the features of {self._source.name}", size, "take fewer hops")
        before, after = len(self), len(self) + len(ids)
        if after > len(self._buffer):
            larger = np.empty((max(after, 2 * before), features.shape[1]), np.float32)
            larger[:before] = self.features
            self._buffer = larger
        self._buffer[before:after] = features
        self.ids = np.concatenate([self.ids, ids])
