"""Answers in their order: to a block of queries, and as batches of the columns that rankings share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.nearest import Answers, nearest
from ruattn_fdw.kernels.weights import Answer, Weights
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import shared
from ruattn_fdw.threads import THREADS


class Identified(Protocol):
    """Source rows that have ids."""

    def shown_ids(self, rows: np.ndarray) -> np.ndarray | list[str]:
        """The ids of these rows as a result column."""


def name_row(source: Source, rows: Identified, row: int) -> str:
    """What the user calls the vector of the row at an index."""
    return f"{source.label} of {source.id_column} {rows.shown_ids(np.array([row]))[0]}"


def answers_to(
    queries: np.ndarray, settings: Settings, source: Source, rows: Rows, arguments: Arguments, report: Report
) -> Iterator[Answers]:
    """The answers of these rows to several queries, one block of queries after the other.

    queries: (m, d).
    """
    with shared.kernel_errors():
        answers = nearest(
            settings,
            queries,
            rows.keyset,
            rows.ids,
            arguments["k"],
            normaliser=arguments["normaliser"],
            columns=rows.numbers,
            threads=THREADS.count,
            checkpoint=host_api.check_interrupts,
        )
    return _timed(answers, source, rows, report)


def _timed(answers: Iterator[Answers], source: Source, rows: Rows, report: Report) -> Iterator[Answers]:
    while True:
        with report.timing("kernel"), shared.kernel_errors(partial(name_row, source, rows)):
            found = next(answers, None)
        if found is None:
            return
        yield found


def ranked_batches(
    chunks: Iterator[np.ndarray], weights: Weights, rows: Identified, wanted: Sequence[str]
) -> Iterator[Batch]:
    """Batches of the result columns for chunks of row numbers, best first."""
    start = 1
    for chunk in chunks:
        columns = {
            "id": rows.shown_ids(chunk),
            "score": weights.score[chunk],
            "logit": shown_logits(weights, chunk),
            "rank": np.arange(start, start + len(chunk)),
            "lse": (weights.lse,),
        }
        if "head_scores" in wanted:
            columns["head_scores"] = np.ascontiguousarray(weights.head_scores[:, chunk].T)
        yield Batch(len(chunk), columns)
        start += len(chunk)


def answer_batch(answer: Answer, rows: Identified, wanted: Sequence[str]) -> Iterator[Batch]:
    """The result columns of an answer over these rows, all in one batch; none where it has no rows."""
    if not len(answer.rows):
        return
    columns = {
        "id": rows.shown_ids(answer.rows),
        "score": answer.score,
        "logit": answer.logit,
        "rank": np.arange(1, len(answer.rows) + 1),
        "lse": (answer.lse,),
    }
    if "head_scores" in wanted:
        columns["head_scores"] = np.ascontiguousarray(answer.head_scores.T)
    yield Batch(len(answer.rows), columns)


def shown_logits(weights: Weights, chunk: np.ndarray) -> Any:
    """The logits of these rows, NULL for those that the mechanism masks out."""
    logits = weights.shown_logit(chunk)
    masked = np.isnan(logits)
    return (logits, ~masked) if masked.any() else logits
