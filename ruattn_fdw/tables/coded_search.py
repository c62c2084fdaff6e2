"""The search in a copy that holds keys in fewer bits, where these can prove the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.coded import CodedRows
from ruattn_fdw.cache.rows import read_coded
from ruattn_fdw.kernels.approximate.estimate import TooManyError
from ruattn_fdw.kernels.approximate.search import search
from ruattn_fdw.kernels.best import serves
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.weights import Answer
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.ids import as_id
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import read_vector
from ruattn_fdw.tables import models, shared
from ruattn_fdw.tables.answers import answer_batch
from ruattn_fdw.threads import THREADS


def search_codes(
    mechanism: Mechanism,
    source: Source,
    arguments: Arguments,
    settings: dict[str, Any],
    wanted: Sequence[str],
    memo: dict[str, Any],
    report: Report,
) -> Iterator[Batch] | None:
    """The answer, which is the same as from the keys themselves; None where codes cannot give it."""
    if arguments["candidates"] is not None or mechanism.projections.key is not None:
        return None
    if not serves(mechanism, settings["options"], arguments["k"]):
        return None
    rows = read_coded(source, memo, report)
    if rows is None:
        return None
    report.scored(mechanism.name, source.oid, len(rows))
    query = models.project_query(mechanism, _find_query(arguments, source, rows, report))
    if len(rows) and rows.width != len(query):
        return None
    answer = _answer(mechanism, query, rows, arguments, settings, report)
    if answer is None:
        memo["coded"] = (source, None)
        return None
    return answer_batch(answer, rows, wanted)


def _find_query(arguments: Arguments, source: Source, rows: CodedRows, report: Report) -> np.ndarray:
    """The query vector: given, or that of the row `query_id`, read by its address: ids may have no index."""
    if arguments["query"] is not None:
        query: np.ndarray = arguments["query"]
        return query
    row_id = as_id(source.id_type, arguments["query_id"])
    assert isinstance(row_id, int)
    places = rows.places_of(row_id)
    if len(places) == 1:
        with suppress(TooManyError):
            vector: np.ndarray = rows.exact(places if rows.present is None else rows.present[places])[0]
            return vector
    return read_vector(source, row_id, report)


def _answer(
    mechanism: Mechanism,
    query: np.ndarray,
    rows: CodedRows,
    arguments: Arguments,
    settings: dict[str, Any],
    report: Report,
) -> Answer | None:
    try:
        with report.timing("kernel"), shared.kernel_errors():
            answer = search(
                mechanism,
                query,
                rows.precisions,
                rows.present,
                rows.exact,
                rows.ids,
                arguments["k"],
                **settings,
                normaliser=arguments["normaliser"],
                threads=THREADS.count,
                checkpoint=host_api.check_interrupts,
            )
    except TooManyError as reason:
        report.note({"Exact Keys": f"all, for {reason}"})
        return None
    report.note({"Exact Keys": answer.read})
    return answer
