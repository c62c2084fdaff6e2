"""One use of the copy of a source: the cheapest proof of which of its rows the caller sees.

Cheapest first: a snapshot equal to that of this backend's last look; the attention indexes of the source; the
row versions that the snapshot sees. Where only a SELECT of the caller's own tells these, for row security,
through a view or in a serializable transaction, it is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.build import NoCopyError, Wanted, bring_up_to_date, exists, first_look
from ruattn_fdw.cache.coded import CodedRows, ascending, coded_rows
from ruattn_fdw.cache.copy import NULL, Copy
from ruattn_fdw.cache.indexed import IndexedCopy
from ruattn_fdw.cache.kept import KEPT, MOST_ROWS, Kept
from ruattn_fdw.cache.matrix_file import MatrixFile
from ruattn_fdw.cache.reader import Reader
from ruattn_fdw.cache.versions import Versions, selected, shown, walked
from ruattn_fdw.host_records import IndexInfo
from ruattn_fdw.kernels.ids import SomeIds
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.report import Report
from ruattn_fdw.source import rows as afresh
from ruattn_fdw.source.companions import companions
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows, ids_and_names


class Use(NamedTuple):
    """Rows, how a copy gave them, its file, and what it holds where that is not what the index declares."""

    rows: Rows | CodedRows
    how: str
    file: MatrixFile | None
    instead: str | None = None


class Lookup:
    """One use of the copy of a source."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source, self._report = source, report
        with_ids = (source.id_column,) if source.id_type is None else ()
        self._state = host_api.source(source.oid, (source.vector_column, *with_ids))
        self._table = source if self._state.base is None else _behind(source, *self._state.base)
        self._beside = _read_beside(source)
        self._by_query = self._state.by_query or bool(self._beside)

    def rows(self, *, cheaply: bool) -> Use:
        """The rows; NoCopyError where no copy can be used, or not cheaply."""
        indexes = self._checked_indexes
        if indexes is None:
            return self._by_versions(cheaply)
        if indexes[0].dtype == "float32":
            return self._by_indexes(indexes, "float32")
        if cheaply:
            raise NoCopyError("few candidates")
        return self._by_indexes(indexes, "float32")._replace(instead="float32")

    def coded_rows(self) -> Use | None:
        """The rows by the codes of their keys, None where there are none."""
        indexes = self._checked_indexes
        if indexes is None or indexes[0].dtype == "float32":
            return None
        return self._by_indexes(indexes, indexes[0].dtype)

    def standing(self) -> tuple[str, bool]:
        """(what the keys are held in, whether there is a copy); NoCopyError where there can be none."""
        indexes = self._checked_indexes
        if indexes is None:
            return "float32", exists(self._name("versions"), _digest(self._state.identity))
        indexed = self._indexed(indexes, indexes[0].dtype)
        return indexes[0].dtype, exists(indexed.name, indexed.identity)

    @cached_property
    def _checked_indexes(self) -> list[IndexInfo] | None:
        """The indexes that prove the rows, None where none do; NoCopyError where no copy may be kept."""
        if self._state.reason is not None:
            raise NoCopyError(self._state.reason)
        if not host_api.integer_setting("cache_size"):
            raise NoCopyError("ruattn_fdw.cache_size is 0")
        if self._by_query and self._state.base is None and not self._state.whole:
            raise NoCopyError("only some columns may be read")
        if self._state.base is not None and self._beside:
            raise NoCopyError("a view of which further columns are read")
        return None if self._by_query else self._indexes()

    def _indexed(self, indexes: list[IndexInfo], dtype: str) -> IndexedCopy:
        leaves = self._state.leaves
        reader = Reader(self._table, leaves, follow=True)
        return IndexedCopy(self._name(dtype), self._state.identity, leaves, indexes, reader, dtype)

    def _by_indexes(self, indexes: list[IndexInfo], dtype: str) -> Use:
        """The rows that attention indexes prove, out of a copy in what they declare or in float32."""
        indexed = self._indexed(indexes, dtype)
        name = indexed.name
        kept, snapshot = KEPT.get(name, indexed.identity), host_api.snapshot()
        rows = None if kept is None else kept.rows_under(snapshot)
        if kept is not None and rows is not None:
            KEPT.count_hit(name)
            return Use(rows, "hit", kept.copy.file)
        copy, seen, use = indexed.seen(None if kept is None else kept.copy)
        rows = None if kept is None else kept.rows_of(copy, seen.slots, seen.nulls)
        if rows is None and copy.dtype == "float32":
            rows = _assembled(copy, seen.slots, seen.nulls)
        elif rows is None:
            rows = coded_rows(copy, seen.slots, seen.nulls, indexed.reader)
        if use == "hit":
            KEPT.count_hit(name)
        KEPT.put(name, Kept(copy, snapshot, rows, seen.slots))
        return Use(rows, use, copy.file)

    def _by_versions(self, cheaply: bool) -> Use:
        """The rows that their versions prove, or an equal snapshot."""
        name, identity = self._name("versions"), _digest(self._state.identity)
        kept, snapshot = KEPT.get(name, identity), host_api.snapshot()
        rows = None if self._by_query or kept is None else kept.rows_under(snapshot)
        if kept is not None and rows is not None:
            return Use(rows, "hit", kept.copy.file)
        if cheaply:
            raise NoCopyError("few candidates")
        versions = self._versions()
        if not len(versions):
            return Use(replace(afresh.NO_ROWS, skipped=versions.skipped), "hit", None)
        copy, entries, use = self._matched(name, identity, kept, versions)
        slots = copy.slots[entries].astype(np.int32)
        if self._beside:
            # what was read live is of this search only
            KEPT.put(name, Kept(copy, b"", None, entries))
            return Use(self._with_beside(copy, slots, versions), use, copy.file)
        nulls = versions.skipped + int((slots == NULL).sum())
        rows = None if kept is None else kept.rows_of(copy, entries, nulls)
        rows = _assembled(copy, slots[slots >= 0], nulls) if rows is None else rows
        KEPT.put(name, Kept(copy, b"" if self._by_query else snapshot, rows, entries))
        if len(entries) > MOST_ROWS:
            # what led to the rows is larger than they are, and lies where the search does not use it
            del versions, slots
            host_api.give_back_memory()
        return Use(rows, use, copy.file)

    def _versions(self) -> Versions:
        if self._state.base is not None:
            return shown(self._source, self._state.leaves)
        if self._by_query:
            return selected(self._source, self._state.leaves, self._beside)
        return walked(self._state.leaves)

    def _matched(
        self, name: str, identity: bytes, kept: Kept | None, versions: Versions
    ) -> tuple[Copy, np.ndarray, str]:
        """(a copy that holds all these versions, their entries, how it was used)."""
        copy = first_look(name, identity) if kept is None else kept.copy
        if copy is not None:
            likely = None if kept is None else kept.found
            entries = copy.find(versions.tids, versions.versions, likely)
            if (entries >= 0).all():
                return copy, entries, "hit"
        reader = Reader(self._table, self._state.leaves, follow=False)
        with self._report.timing("read"):
            return bring_up_to_date(Wanted(name, identity, versions.tids, versions.versions, reader, copy))

    def _with_beside(self, copy: Copy, slots: np.ndarray, versions: Versions) -> Rows:
        """The rows, which all have a vector, with the columns that were read beside them."""
        columns, ids, names = list(versions.beside), copy.ids[slots], None
        if self._source.id_type is not None:
            ids, names = ids_and_names(columns.pop(0))
        rows = Rows(ids, KeySet(copy.keys[slots]), versions.skipped, names)
        return afresh.with_companions(self._source, rows, columns)

    def _indexes(self) -> list[IndexInfo] | None:
        """For each leaf an attention index that proves its rows, None unless all have one."""
        id_column = self._source.id_column if self._source.id_type is None else None
        chosen = []
        for oid in np.frombuffer(self._state.leaves, np.uint32).tolist():
            found = host_api.indexes(oid, self._source.vector_column, id_column)
            usable = [index for index in found if index.usable]
            if not usable:
                return None
            chosen.append(usable[0])
        return chosen if len({index.dtype for index in chosen}) == 1 else None

    def _name(self, proof: str) -> str:
        table = self._table
        return _file_name(self._state.identity[:4], table.oid, table.vector_column, table.id_column, proof)


@lru_cache(maxsize=256)
def _file_name(*about: object) -> str:
    """The name of the file of a copy, which tells nobody anything."""
    return _digest(repr(about).encode())[:8].hex()


def _behind(view: Source, oid: int, columns: Sequence[str]) -> Source:
    """The table that a view shows, by its columns of vectors and ids."""
    vector_column, id_column = (*columns, view.id_column)[:2]
    return replace(view, oid=oid, vector_column=vector_column, id_column=id_column)


def _assembled(copy: Copy, slots: np.ndarray, nulls: int) -> Rows:
    """The rows whose vectors have these slots, in the order in which they lie there."""
    slots = ascending(slots)
    if (slots[1:] == slots[:-1]).any():
        # a view may show a row more than once
        return Rows(copy.ids[slots], KeySet(copy.keys[slots]), nulls)
    if len(slots) and slots[-1] == len(slots) - 1:
        return Rows(copy.ids[: len(slots)], KeySet(copy.keys[: len(slots)]), nulls)
    return Rows(SomeIds(copy.ids, slots), KeySet(copy.keys, slots), nulls)


def _read_beside(source: Source) -> list[tuple[str, str]]:
    """The columns, with their kinds, that are read live for every search."""
    text_ids = [] if source.id_type is None else [(source.id_column, "text id")]
    return text_ids + companions(source)


def _digest(about: bytes) -> bytes:
    return hashlib.blake2b(about, digest_size=32).digest()
