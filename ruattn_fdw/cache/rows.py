"""The rows of a source: out of a copy that is proved to be what the caller sees, else read afresh.

A copy is one for all roles and transactions; what each of them sees of it is asked anew for every query.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ruattn_fdw.cache.build import NoCopyError
from ruattn_fdw.cache.coded import CodedRows
from ruattn_fdw.cache.kept import KEPT
from ruattn_fdw.cache.lookup import Lookup
from ruattn_fdw.cache.reader import OtherWidthError
from ruattn_fdw.kernels.arrays import spans
from ruattn_fdw.report import Report
from ruattn_fdw.source import rows as afresh
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows, read_once


def read_rows(
    source: Source, candidates: np.ndarray | str | None, memo: dict[str, Any], report: Report
) -> Rows:
    """The rows of the source, or those of them whose id is a candidate.

    `memo` keeps them for the rescans of one executor node.
    """
    of_source, found = memo.pop("search", (None, None))
    begun: Lookup | None = found if of_source == source else None

    def read(source: Source, ids: np.ndarray | str | None) -> Rows:
        return _read(begun, source, ids, report)

    return read_once("rows", read, source, candidates, memo, report)


def read_coded(source: Source, memo: dict[str, Any], report: Report) -> CodedRows | None:
    """The rows of a source whose attention index keeps them in fewer bits; None where it does not.

    What has been found out for it until then is left in `memo` for the `read_rows` that follows.
    """
    kept: tuple[Source, CodedRows | None] | None = memo.get("coded")
    if kept is None or kept[0] != source:
        kept = memo["coded"] = (source, _read_coded(source, memo, report))
    return kept[1]


def _read_coded(source: Source, memo: dict[str, Any], report: Report) -> CodedRows | None:
    try:
        with report.timing("check"):
            search = Lookup(source, report)
            memo["search"] = (source, search)
            used = search.coded_rows()
    except (NoCopyError, OtherWidthError, OSError):
        return None
    if used is None or not isinstance(used.rows, CodedRows):
        return None
    report.cache(source.name, used.how, used.file)
    report.rows_read += len(used.rows)
    report.nulls_skipped += used.rows.skipped
    return used.rows


def _read(begun: Lookup | None, source: Source, ids: np.ndarray | str | None, report: Report) -> Rows:
    try:
        with report.timing("check"):
            search = begun if begun is not None else Lookup(source, report)
            used = search.rows(cheaply=ids is not None)
    except (NoCopyError, OtherWidthError, OSError) as reason:
        if isinstance(reason, OSError):
            KEPT.complain(reason)
        report.cache(source.name, f"none ({_in_words(reason)})")
        return afresh.select_rows(source, ids)
    report.cache(source.name, used.how, used.file, used.instead)
    assert isinstance(used.rows, Rows)
    return used.rows if ids is None else used.rows.take(_with_ids(used.rows, ids))


def explained(source: Source) -> list[tuple[str, object]]:
    """What EXPLAIN tells of the copy of a source: its dtype, and how it stands or why there is none."""
    try:
        dtype, is_warm = Lookup(source, Report()).standing()
    except NoCopyError as reason:
        return [("Dtype", "float32"), ("Cache", f"none ({reason})")]
    return [("Dtype", dtype), ("Cache", "warm" if is_warm else "cold")]


def _in_words(reason: Exception) -> str:
    if isinstance(reason, OtherWidthError):
        return "vectors of different widths"
    return reason.strerror or "no file" if isinstance(reason, OSError) else str(reason)


def _with_ids(rows: Rows, ids: np.ndarray | str) -> np.ndarray:
    """The indexes of the rows with one of these ids, by parts of the rows."""
    found = [span.start + np.flatnonzero(np.isin(rows.ids[span], ids)) for span in spans(len(rows), 32)]
    return np.concatenate([np.empty(0, np.intp), *found])
