"""`cross_attention` over documents on shards: the queries are rows of this server, which ask in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ruattn_fdw.declaration import Table
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import normalisers_of
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharded_rounds import Found, Search, find, two_rounds
from ruattn_fdw.values import Unknown

NAMES = {
    "table_name": "document_table",
    "id_column": "document_id_column",
    "vector_column": "document_column",
    "num_heads": "num_heads",
    "temperature": "temperature",
    "attention_type": "attention_type",
    "model": "model",
}
"""What `mha_search`, which the shards are asked for, calls the parameters of `cross_attention`."""


def cross_shards(
    table: Table, arguments: Arguments, schemas: Sequence[str], queries: Rows, report: Report
) -> Iterator[Batch]:
    """The answers to the queries, in their order; table: `mha_search`."""
    with report.timing("check"):
        mechanism, shards = sharding.settle(arguments, schemas, table)
    search = Search.of(arguments, table, shards, NAMES)
    report.scored(mechanism.name, 0, len(queries))
    if not len(queries):
        return
    given = normalisers_of(arguments["normaliser"], len(queries))
    for start, some in sharding.blocks(queries, arguments["k"]):
        normalisers = None if given is None else given[start : start + len(some)]
        found = find(search.by_each(some), normalisers, arguments, (), report)
        for place, answer in enumerate(found, start):
            yield from _batches(answer, queries, place)


def _batches(found: Found, queries: Rows, place: int) -> Iterator[Batch]:
    for part in sharding.chunks(len(found.ids)):
        rows = part.stop - part.start
        yield Batch(
            rows,
            {
                "query_id": queries.shown_ids(np.full(rows, place)),
                "doc_id": found.ids[part],
                "score": found.score[part],
                "logit": found.logit[part],
                "rank": np.arange(part.start, part.stop) + 1,
                "lse": (found.lse,),
            },
        )


def details(table: Table, arguments: Arguments, schemas: Sequence[str]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE), for as many queries as go together at most."""
    shards = sharding.planned_shards(arguments, schemas, table)
    most = sharding.queries_at_once(arguments.known("k"))
    search = Search.of(arguments, table, shards, NAMES).by(Unknown("rows of query_table"))
    return two_rounds(replace(search, queries=most))
