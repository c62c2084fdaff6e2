"""`mha_search` over shards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NO_SUCH_RELATION, AttentionError
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import normalisers_of
from ruattn_fdw.source.asking_shards import START, run
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.ids import ID
from ruattn_fdw.source.relation import Source, resolve
from ruattn_fdw.source.rows import quote
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharded_rounds import Found, Search, find, two_rounds
from ruattn_fdw.values import Unknown, read_integer

PASSED_ON = (
    "table_name", "id_column", "vector_column", "queries", "order_column", "position", "num_heads",
    "temperature", "attention_type", "candidates", "model",
)  # fmt: skip
NAMES = {name: name for name in PASSED_ON}


def search_shards(
    table: Table, arguments: Arguments, schemas: Sequence[str], wanted: Sequence[str], report: Report
) -> Iterator[Batch]:
    """The answer of `mha_search`, best rows first."""
    with report.timing("check"):
        mechanism, shards = sharding.settle(arguments, schemas, table)
    search = Search.of(arguments, table, shards, NAMES)
    columns: set[tuple[str, str]] = set()
    if arguments["queries"] is None:
        query, columns = _query(arguments, shards, report)
        search = search.by(query)
    given = normalisers_of(arguments["normaliser"], 1)
    found = next(find(search, given, arguments, wanted, report), None)
    _check_columns(arguments, columns)
    report.scored(mechanism.name, 0, 0 if found is None else len(found.ids))
    return iter(()) if found is None else _batches(found)


def _batches(found: Found) -> Iterator[Batch]:
    for part in sharding.chunks(len(found.ids)):
        columns = {
            "id": found.ids[part],
            "score": found.score[part],
            "logit": found.logit[part],
            "rank": np.arange(part.start, part.stop) + 1,
            "lse": (found.lse,),
        }
        if found.head_scores is not None:
            columns["head_scores"] = found.head_scores[part]
        yield Batch(part.stop - part.start, columns)


def _query(
    arguments: Arguments, shards: Sequence[Shard], report: Report
) -> tuple[np.ndarray, set[tuple[str, str]]]:
    """The query vector: given, or that of the row `query_id`, wherever it lies; and the columns of ids and
    vectors that it was found by."""
    if arguments["query_id"] is None:
        return arguments["query"], set()
    with sharding.integers_of_shards():
        row_id = read_integer(ID, arguments["query_id"])
    sources = [_imported(arguments, shard) for shard in shards]
    statement = " UNION ALL ".join(
        _row_statement(source, shard, row_id) for source, shard in zip(sources, shards, strict=True)
    )
    (_, vectors), rows = run(shards, statement, ("id", "vector"), arguments["table_name"], report)
    if rows != 1:
        raise AttentionError(
            f"query_id {row_id} is in {rows} rows with a vector of {arguments['table_name']} over all shards",
            hint="Name a row that is there once, or give the vector as query.",
        )
    return np.asarray(vectors)[0], {(source.id_column, source.vector_column) for source in sources}


def _check_columns(arguments: Arguments, columns: set[tuple[str, str]]) -> None:
    """Raise unless the shards go by the columns that the query was found by: the primary key, which says
    which column has the ids, is known to them alone."""
    theirs = (arguments["id_column"], arguments["vector_column"])
    for ours in columns - {theirs}:
        name, one, other = next(
            row for row in zip(("id_column", "vector_column"), ours, theirs, strict=True) if row[1] != row[2]
        )
        raise AttentionError(
            f'query_id was looked up by the {name} "{one}", the shards have "{other}"',
            hint=f"Give {name} in the query, or the vector as query.",
        )


def _imported(arguments: Arguments, shard: Shard) -> Source:
    """The shard's relation, which must have been imported too."""
    name = re.split(r'\.(?=(?:[^"]*"[^"]*")*[^"]*$)', arguments["table_name"])[-1]
    local = f"{quote(shard.schema)}.{name}"
    if host_api.relation(local) is None:
        raise AttentionError(
            f"query_id needs {arguments['table_name']} of {shard.label}, but {local} does not exist",
            sqlstate=NO_SUCH_RELATION,
            hint=f"IMPORT FOREIGN SCHEMA ... LIMIT TO ({name}) FROM SERVER {quote(shard.server)} "
            f"INTO {quote(shard.schema)}; or give the vector as query.",
        )
    return resolve(local, arguments["id_column"], arguments["vector_column"])


def _row_statement(source: Source, shard: Shard, row_id: int) -> str:
    """The SELECT of one row's vector from a shard."""
    id_column, vector_column = (f"f.{quote(column)}" for column in (source.id_column, source.vector_column))
    relation = f"{quote(source.schema)}.{quote(source.name)}"
    # always true; of an error on a shard, the statement that it was sent is all that tells which one it is
    marked = f"{id_column}::pg_catalog.numeric OPERATOR(pg_catalog.<>) {shard.number}"
    found = f"{id_column} OPERATOR(pg_catalog.=) {row_id} AND {marked}"
    return f"{START}, {vector_column} FROM {relation} AS f WHERE {found}"


def details(table: Table, arguments: Arguments, schemas: Sequence[str]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE) about `mha_search` over shards."""
    shards = sharding.planned_shards(arguments, schemas, table)
    search = Search.of(arguments, table, shards, NAMES)
    if arguments["queries"] is None:
        given = arguments["query"] if arguments["query_id"] is None else Unknown("query_id")
        search = search.by(given)
    return two_rounds(search)
