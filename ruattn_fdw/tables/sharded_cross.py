"""`cross_attention` over documents on shards: the queries are rows of this server, asked one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharded_search import Found, Search, find, two_rounds
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
    given = _normalisers(arguments, len(queries))
    report.scored(mechanism.name, 0, len(queries))
    for place in range(len(queries)):
        found = find(
            search.by(queries.keyset[place]), None if given is None else given[place], arguments, (), report
        )
        if found is not None:
            yield from _batches(found, queries, place)


def _normalisers(arguments: Arguments, count: int) -> Sequence[np.ndarray] | None:
    """That of each query, cut out of those given in one array."""
    given = arguments["normaliser"]
    if given is None:
        return None
    if not count or len(given) % count:
        raise AttentionError(
            f"normaliser has {len(given)} values for {count} queries",
            hint="Give the log-sum-exp of each head of each query, query after query.",
        )
    return list(given.reshape(count, -1))


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
    """The lines of EXPLAIN (VERBOSE), for one of the queries."""
    shards = sharding.planned_shards(arguments, schemas, table)
    return two_rounds(Search.of(arguments, table, shards, NAMES).by(Unknown("a row of query_table")))
