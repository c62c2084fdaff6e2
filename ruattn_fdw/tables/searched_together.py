"""Several queries that a server asks this one for together, as its shard: the answers in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw.cache.rows import read_coded, read_rows
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.nearest import Answers
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import Asked, normalisers_of, queries_in
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows, check_dimensions
from ruattn_fdw.tables import shared
from ruattn_fdw.tables.answers import answers_to

Search = Callable[..., Iterator[Batch]]


def search_each(
    one: Search,
    mechanism: Mechanism,
    source: Source,
    arguments: Arguments,
    settings: dict[str, Any],
    asked: Asked,
    wanted: Sequence[str],
    memo: dict[str, Any],
    report: Report,
) -> Iterator[Batch]:
    """The answers; one: what searches for a single query, with these arguments but the last two."""
    queries = queries_in(arguments, asked)
    normalisers = normalisers_of(arguments["normaliser"], len(queries))
    if _selects(source, arguments, settings, memo, report):
        return _by_products(mechanism, source, arguments, settings, queries, memo, report)
    return _one_by_one(
        partial(one, mechanism, source, arguments, settings, wanted, memo, report),
        arguments,
        queries,
        normalisers,
    )


def _selects(
    source: Source, arguments: Arguments, settings: dict[str, Any], memo: dict[str, Any], report: Report
) -> bool:
    """Whether matrix products over all queries are worth it: what they give is of one head, and as exact
    as the copy is."""
    return (
        settings["num_heads"] == 1
        and arguments["k"] is not None
        and arguments["model"] is None
        and read_coded(source, memo, report) is None
    )


def _one_by_one(
    search: Search, arguments: Arguments, queries: np.ndarray, normalisers: np.ndarray | None
) -> Iterator[Batch]:
    for place, query in enumerate(queries):
        arguments.declare("query", query)
        if normalisers is not None:
            arguments.declare("normaliser", normalisers[place])
        yield from search()


def _by_products(
    mechanism: Mechanism,
    source: Source,
    arguments: Arguments,
    settings: dict[str, Any],
    queries: np.ndarray,
    memo: dict[str, Any],
    report: Report,
) -> Iterator[Batch]:
    rows = read_rows(source, arguments["candidates"], memo, report)
    report.scored(mechanism.name, source.oid, len(rows) * len(queries))
    many = shared.many_settings(mechanism, arguments, queries.shape[1])
    fitting = shared.key_widths(mechanism, queries.shape[1], settings["num_heads"], settings["options"])
    check_dimensions(queries[0], rows, source, fitting)
    answers = answers_to(queries, many, source, rows, arguments, report)
    return map(partial(_batch, rows), answers)


def _batch(rows: Rows, found: Answers) -> Batch:
    columns = {
        "id": rows.shown_ids(found.row),
        "score": found.score,
        "logit": found.logit,
        "rank": found.rank,
        "head_scores": found.score[:, None],
        "lse": found.lse,
    }
    return Batch(len(found.row), columns)
