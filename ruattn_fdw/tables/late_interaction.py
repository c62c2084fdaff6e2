"""The part of `mha_search` for mechanisms that compare several query vectors with several in each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.handler import Batch
from ruattn_fdw.kernels import attend_sets, ranking, registry
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.sets import read_set, read_sets
from ruattn_fdw.tables import shared
from ruattn_fdw.tables.answers import name_row, ranked_batches


def compares_sets(mechanism: Mechanism, arguments: Arguments) -> bool:
    """Whether rows are taken as sets of vectors."""
    return mechanism.weigh_sets is not None and (not mechanism.flat or arguments.get("queries") is not None)


def check_parameters(mechanism: Mechanism, arguments: Arguments) -> None:
    """Raise if `queries` is given to a mechanism for single vectors, or heads to one for sets."""
    if mechanism.weigh_sets is None and arguments["queries"] is not None:
        takers = " or ".join(f"'{m.name}'" for m in registry.MECHANISMS if m.weigh_sets is not None)
        raise AttentionError(
            f'parameter "queries" is not used by {mechanism.name}, which takes one query vector',
            sqlstate=NOT_SUPPORTED,
            hint=f"Give query instead, or attention_type = {takers}.",
        )
    heads = arguments.known("num_heads")
    if compares_sets(mechanism, arguments) and heads is not None and heads != 1:
        raise AttentionError(
            f"num_heads is {heads}, {mechanism.name} takes whole vectors",
            sqlstate=NOT_SUPPORTED,
            hint="Leave num_heads out: each vector of a row is like a head of its own.",
        )


def search(
    mechanism: Mechanism,
    source: Source,
    arguments: Arguments,
    wanted: Sequence[str],
    memo: dict[str, Any],
    report: Report,
) -> Iterator[Batch]:
    """Read the sets, score them, and rank as far as rows are asked for."""
    settings = shared.kernel_settings(mechanism, arguments)
    rows = read_sets(source, arguments["candidates"], memo, report)
    report.scored(mechanism.name, source.oid, len(rows))
    name, queries = _queries(arguments, source, report)
    if len(rows) and queries.shape[1] != rows.sets.vectors.shape[1]:
        raise AttentionError(
            f"{name} has {queries.shape[1]} dimensions, {source.label} has {rows.sets.vectors.shape[1]}",
            hint="Both must come from the same model.",
        )
    with report.timing("kernel"), shared.kernel_errors(partial(name_row, source, rows)):
        weights = attend_sets.attend_sets(
            mechanism,
            queries,
            rows.sets,
            temperature=settings["temperature"],
            options=settings["options"],
            normaliser=arguments["normaliser"],
            checkpoint=host_api.check_interrupts,
        )
    chunks = ranking.ranked(weights, rows.ids, arguments["k"], host_api.check_interrupts)
    return ranked_batches(chunks, weights, rows, wanted)


def _queries(arguments: Arguments, source: Source, report: Report) -> tuple[str, np.ndarray]:
    """The query vectors (t, dimensions), and the parameter that they came by."""
    if arguments["queries"] is not None:
        return "queries", arguments["queries"]
    if arguments["query"] is not None:
        return "query", arguments["query"][None]
    return "query_id", read_set(source, arguments["query_id"], report)
