"""The table `attention`: what attention makes of the values, for one query or for every row of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.rows import read_rows
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels.keyset import KeySet
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.merge import share_of_entropy
from ruattn_fdw.kernels.outputs import Outputs, outputs
from ruattn_fdw.kernels.positions import Positions
from ruattn_fdw.kernels.problem import Options
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import asked_as_shard, fitting, normalisers_of, queries_in, schemas_of
from ruattn_fdw.source import companions
from ruattn_fdw.source.relation import Source, estimated_rows
from ruattn_fdw.source.rows import Rows, check_dimensions
from ruattn_fdw.tables import models, naming, ordering, sharded_attention, sharding, shared
from ruattn_fdw.tables.answers import name_row
from ruattn_fdw.tables.mha_search import (
    COST_OF_READING_A_ROW,
    STARTUP_COST,
    considered_rows,
    explain_source,
    settle_source,
)
from ruattn_fdw.values import Unknown

COST_OF_A_PAIR = 0.001

ATTENTION = Table(
    name="attention",
    help="The output of attention over the rows of a relation, for one query or for every row of another.",
    results=(
        Result(
            "query_id",
            "bigint",
            "id of the row that asks, NULL for a query given as a vector",
            named_by="query_id_column",
        ),
        Result("output", "real[]", "the values summed by attention weight, head by head"),
        Result("entropy", "real", "entropy of the weights in nats, the mean over the heads"),
        Result("lse", "double precision[]", "log-sum-exp of the logits over all keys, one for each head"),
    ),
    parameters=(
        Parameter("query", "attention_vector", "vector that asks", one_of="query, query_table"),
        Parameter("query_table", "text", "relation whose every row asks", one_of="query, query_table"),
        shared.TABLE_NAME,
        Parameter(
            "query_column",
            "text",
            "column of the vectors of query_table",
            default_help="the only one of a vector type",
        ),
        Parameter(
            "query_id_column",
            "text",
            "column of the ids of query_table",
            default_help="the single-column primary key, else id",
        ),
        shared.ID_COLUMN,
        shared.VECTOR_COLUMN,
        Parameter(
            "value_column",
            "text",
            "column of the values: vectors, or numbers as vectors of one dimension",
            default_help="the keys themselves",
        ),
        shared.ORDER_COLUMN,
        shared.POSITION,
        shared.attention_type("scaled_dot"),
        shared.num_heads(default=1),
        shared.TEMPERATURE,
        shared.CANDIDATES,
        shared.MODEL,
        shared.OPTIONS_AND_SHARDS,
    ),
    order=(("query_id", False),),
    example="SELECT output FROM attention WHERE table_name = 'documents' AND "
    "query = (SELECT embedding FROM documents WHERE id = 1)",
    source_row=SourceRow("query_id", "query_table", "query_id_column", "query_column"),
    sharded="table_name",
)


class Attention(AttentionTable):
    """Reads keys, values and queries, and yields the outputs block by block, queries by id."""

    declaration = ATTENTION

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Read all, then attend as far as rows are asked for."""
        if schemas := schemas_of(arguments):
            asking = query_source(arguments, None)
            queries = _given_queries(arguments) if asking is None else _sorted(asking, memo, report)
            return sharded_attention.attend_shards(
                ATTENTION, arguments, schemas, queries, asking is not None, wanted, report
            )
        mechanism = shared.settle_mechanism(arguments, ATTENTION.name)
        options = shared.kernel_settings(mechanism, arguments)["options"]
        with report.timing("check"):
            source = settle_sources(arguments, mechanism, options)
            asking = query_source(arguments, source)
        read = read_rows(source, arguments["candidates"], memo.setdefault("keys", {}), report)
        queries = _given_queries(arguments) if asking is None else _sorted(asking, memo, report)
        report.scored(mechanism.name, source.oid, len(queries) * len(read))
        if not len(queries):
            return iter(())
        shared.check_memory("keys and queries", read.keyset, queries.keyset)
        with report.timing("kernel"), shared.kernel_errors():
            queries = models.project_queries(mechanism, queries, asking.label if asking else "query")
            keys = models.project_keys(mechanism, read, source.label)
        shared.check_pairs(mechanism, len(queries), len(keys))
        settings = shared.many_settings(mechanism, arguments, queries.width)
        fitting = shared.key_widths(mechanism, queries.width, settings.heads, settings.options)
        check_dimensions(queries.keyset[0], keys, source, fitting)
        shared.send_remark(mechanism, keys.keyset, settings.heads, settings.options, memo)
        with report.timing("kernel"), shared.kernel_errors():
            values = models.project_values(read, queries.width, settings, source.label)
        blocks = outputs(
            settings,
            queries.keys,
            keys.keyset,
            values,
            place=_places(arguments, queries, keys, asking is not None),
            ids=keys.ids,
            columns=keys.numbers,
            entropy="entropy" in wanted,
            checkpoint=host_api.check_interrupts,
        )
        made = (models.project_output(mechanism, block) for block in blocks)
        share = _shown_entropy(arguments, len(queries))
        return _emit(made, queries, asking is not None, partial(name_row, source, keys), share, report)

    def cost(self, arguments: Arguments) -> Cost:
        """Every query is compared with every key."""
        keys, queries = considered_rows(arguments), _estimated_queries(arguments)
        startup = STARTUP_COST + COST_OF_READING_A_ROW * (keys + queries)
        return Cost(queries, startup, startup + COST_OF_A_PAIR * keys * queries)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism, sources and parameters in effect."""
        if schemas := schemas_of(arguments):
            return sharding.explained(arguments, schemas, ATTENTION)
        mechanism = shared.explain_mechanism(arguments, ATTENTION.name)
        lines = [mechanism, *explain_source(arguments, ATTENTION.name), *_explain_queries(arguments)]
        return [*lines, ("Parameters", arguments.summary())]

    def details(self, arguments: Arguments) -> list[tuple[str, object]]:
        """What is sent to shards for each query."""
        schemas = schemas_of(arguments)
        return sharded_attention.details(ATTENTION, arguments, schemas) if schemas else []


def settle_sources(arguments: Arguments, mechanism: Mechanism, options: Options) -> Source:
    """The relation of the keys with what is read beside them, as far as it is wanted."""
    source = settle_source(arguments, mechanism)
    source = ordering.with_companions(source, arguments, mechanism, options)
    if arguments["value_column"] is None:
        arguments.settle("value_column", source.vector_column)
    return companions.with_values(source, arguments["value_column"])


def query_source(arguments: Arguments, source: Source | None) -> Source | None:
    """The relation whose rows ask, with the column of the order if it has one; None for a single query.

    source: that of the keys, None where shards have it.
    """
    if arguments["query_table"] is None:
        for name in ("query_column", "query_id_column"):
            if arguments[name] is not None:
                raise AttentionError(
                    f'parameter "{name}" is given without query_table',
                    hint="Leave it out, or give query_table instead of query.",
                )
        return None
    asking = _query_table(arguments)
    order_column = None if source is None else source.order_column
    has_it = order_column is not None and companions.is_orderable(asking, order_column)
    return companions.with_order(asking, str(order_column)) if has_it else asking


def _query_table(arguments: Arguments) -> Source:
    return naming.resolve_as(arguments, "query_table", "query_id_column", "query_column")


def _explain_queries(arguments: Arguments) -> list[tuple[str, object]]:
    """The line about the relation that asks, as far as the parameters that name it are known."""
    if arguments["query_table"] is None:
        return []
    for name in ("query_table", "query_id_column", "query_column"):
        if isinstance(arguments[name], Unknown):
            return [("Queries", arguments[name].text)]
    return [("Queries", _query_table(arguments).description)]


def _given_queries(arguments: Arguments) -> Rows:
    """The query that is given as a vector, or those that another server asks this one for together."""
    asked = asked_as_shard(arguments)
    queries = arguments["query"][None] if asked is None else queries_in(arguments, asked)
    return Rows(np.zeros(len(queries), np.int64), KeySet(queries), 0)


def _sorted(asking: Source, memo: dict[str, Any], report: Report) -> Rows:
    """The rows that ask, by id."""
    return naming.by_id(read_rows(asking, None, memo.setdefault("queries", {}), report))


def _places(
    arguments: Arguments, queries: Rows, keys: Rows, named: bool
) -> Callable[[int], Positions] | None:
    """Where each query stands among the keys."""
    if keys.places is None:
        return None
    order, position = ordering.order_of(keys), arguments["position"]

    def place(row: int) -> Positions:
        if position is not None or not named:
            return order.at(position)
        value = None if queries.places is None else float(queries.places[row])
        query_id = (
            queries.shown_ids(np.array([row]))[0]
            if arguments["query_table"] == arguments["table_name"]
            else None
        )
        return ordering.place_among(order, keys, query_id, value)

    return place


def _shown_entropy(arguments: Arguments, queries: int) -> Callable[[Outputs, int], np.ndarray | None]:
    """What entropy is shown of a block that begins with a query: its own, or as a shard, its share of all."""
    asked = asked_as_shard(arguments)
    normalisers = None if asked is None else normalisers_of(asked.normaliser, queries)
    if normalisers is None:
        return lambda block, start: block.entropy

    def share(block: Outputs, start: int) -> np.ndarray | None:
        if block.entropies is None:
            return None
        given = fitting(normalisers[start : start + len(block)], block.lse.shape[1])
        added: np.ndarray = share_of_entropy(block.lse, block.entropies, given).mean(axis=1)
        return added.astype(np.float32)

    return share


def _emit(
    blocks: Iterator[Outputs],
    queries: Rows,
    named: bool,
    row_names: Callable[[int], str],
    shown_entropy: Callable[[Outputs, int], np.ndarray | None],
    report: Report,
) -> Iterator[Batch]:
    """A batch for each block of outputs; where a query sees no key, all but its id is NULL."""
    start = 0
    while True:
        with report.timing("kernel"), shared.kernel_errors(row_names):
            block = next(blocks, None)
        if block is None:
            return
        rows = np.arange(start, start + len(block))
        seen, entropy = ~block.empty, shown_entropy(block, start)
        start += len(block)
        columns = {
            "query_id": queries.shown_ids(rows) if named else (None,),
            "output": (block.output, seen),
            "entropy": (None,) if entropy is None else (entropy, seen & ~np.isnan(entropy)),
            "lse": (block.lse, seen & np.isfinite(block.lse).all(axis=1)),
        }
        yield Batch(len(block), columns)


def _estimated_queries(arguments: Arguments) -> float:
    if arguments["query_table"] is None:
        return 1
    name = arguments.known("query_table")
    relation = host_api.relation(name) if name else None
    rows = estimated_rows(relation) if relation else None
    return DEFAULT_ROWS if rows is None else rows
