"""The table `mha_search`: the rows of a relation by their attention weight for one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.rows import explained, read_rows
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels import attend, best, ranking
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.weights import Answer
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import asked_as_shard, local_name, schemas_of
from ruattn_fdw.source.ids import as_id, number_of
from ruattn_fdw.source.relation import Source, estimated_rows, resolve
from ruattn_fdw.source.rows import Rows, check_dimensions, read_vector
from ruattn_fdw.tables import (
    late_interaction,
    models,
    ordering,
    searched_together,
    sharded_search,
    sharding,
    shared,
)
from ruattn_fdw.tables.answers import answer_batch, name_row, ranked_batches
from ruattn_fdw.tables.coded_search import search_codes
from ruattn_fdw.threads import THREADS
from ruattn_fdw.values import Unknown

STARTUP_COST = 10.0
COST_OF_READING_A_ROW = 0.05
COST_OF_A_RESULT_ROW = 0.01

QUERIES = "query, query_id, queries"

SEARCH = Table(
    name="mha_search",
    help="The rows of a relation by their attention weight for one query, over several heads.",
    results=(
        Result("id", "bigint", "id of the row", named_by="id_column"),
        Result("score", "real", "attention weight, normalised over all keys; the mean over the heads"),
        Result("logit", "real", "value before normalisation, the mean over the heads"),
        Result("rank", "bigint", "place in the answer, from 1"),
        Result("head_scores", "real[]", "attention weight in each head"),
        Result(
            "lse", "double precision[]", "log-sum-exp of the logits over all keys, one value for each head"
        ),
    ),
    parameters=(
        shared.TABLE_NAME,
        Parameter("query", "attention_vector", "vector to search for", one_of=QUERIES),
        Parameter(
            "query_id", "bigint", "id of the row whose vector is the query", one_of=QUERIES, id_of="id_column"
        ),
        shared.ID_COLUMN,
        shared.VECTOR_COLUMN,
        Parameter("queries", "real[]", "several query vectors, one in each row, for max_sim", one_of=QUERIES),
        shared.ORDER_COLUMN,
        shared.POSITION,
        shared.num_heads(default_help="8 for the multi-head family, else 1"),
        shared.k_nearest("number of rows wanted"),
        shared.TEMPERATURE,
        shared.attention_type("multi_head"),
        shared.CANDIDATES,
        shared.NORMALISER,
        shared.MODEL,
        shared.OPTIONS_AND_SHARDS,
    ),
    order=(("score", True), ("rank", False)),
    example="SELECT id, score FROM mha_search WHERE table_name = 'documents' AND "
    "query = (SELECT embedding FROM documents WHERE id = 1) AND k = 10",
    source_row=SourceRow("id"),
    sharded="table_name",
)


class MhaSearch(AttentionTable):
    """Reads the source rows, scores them all, and yields them best first, as far as they are asked for."""

    declaration = SEARCH

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Read, score, and rank as far as rows are asked for."""
        if schemas := schemas_of(arguments):
            return sharded_search.search_shards(SEARCH, arguments, schemas, wanted, report)
        mechanism = shared.settle_mechanism(arguments, SEARCH.name)
        late_interaction.check_parameters(mechanism, arguments)
        settings = shared.kernel_settings(mechanism, arguments)
        with report.timing("check"):
            source = settle_source(arguments, mechanism)
            source = ordering.with_companions(source, arguments, mechanism, settings["options"])
        if late_interaction.compares_sets(mechanism, arguments):
            return late_interaction.search(mechanism, source, arguments, wanted, memo, report)
        asked = asked_as_shard(arguments)
        if asked is not None and asked.queries is not None:
            return searched_together.search_each(
                _search, mechanism, source, arguments, settings, asked, wanted, memo, report
            )
        return _search(mechanism, source, arguments, settings, wanted, memo, report)

    def cost(self, arguments: Arguments) -> Cost:
        """Reading and scoring come before the first row, ranking is cheap."""
        considered = considered_rows(arguments)
        rows = max(1, min(arguments.known("k") or considered, considered))
        startup = STARTUP_COST + COST_OF_READING_A_ROW * considered
        return Cost(rows, startup, startup + COST_OF_A_RESULT_ROW * rows)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism, source and parameters in effect."""
        if schemas := schemas_of(arguments):
            return sharding.explained(arguments, schemas, SEARCH)
        mechanism = shared.explain_mechanism(arguments, SEARCH.name)
        return [mechanism, *explain_source(arguments, SEARCH.name), ("Parameters", arguments.summary())]

    def details(self, arguments: Arguments) -> list[tuple[str, object]]:
        """What is sent to shards."""
        schemas = schemas_of(arguments)
        return sharded_search.details(SEARCH, arguments, schemas) if schemas else []


def _search(
    mechanism: Mechanism,
    source: Source,
    arguments: Arguments,
    settings: dict[str, Any],
    wanted: Sequence[str],
    memo: dict[str, Any],
    report: Report,
) -> Iterator[Batch]:
    """The rows by their weight for one query."""
    found = search_codes(mechanism, source, arguments, settings, wanted, memo, report)
    if found is not None:
        return found
    rows = read_rows(source, arguments["candidates"], memo, report)
    report.scored(mechanism.name, source.oid, len(rows))
    query = find_query(arguments, source, rows, report)
    with report.timing("kernel"), shared.kernel_errors(partial(name_row, source, rows)):
        query = models.project_query(mechanism, query)
        mechanism = models.absorb_keys(mechanism, rows, settings["options"], source.label)
        rows = models.project_keys(mechanism, rows, source.label)
        fitting = shared.key_widths(mechanism, len(query), settings["num_heads"], settings["options"])
        check_dimensions(query, rows, source, fitting)
        answer = _best(mechanism, query, rows, arguments, settings)
        if answer is not None:
            return answer_batch(answer, rows, wanted)
        weights = attend.attend(
            mechanism,
            query,
            rows.keyset,
            ids=rows.ids,
            **settings,
            normaliser=arguments["normaliser"],
            positions=ordering.positions_of_one(arguments, rows),
            columns=rows.numbers,
            checkpoint=host_api.check_interrupts,
        )
    shared.send_remark(mechanism, rows.keyset, len(weights.head_scores), settings["options"], memo)
    report.note(weights.notes)
    chunks = ranking.ranked(weights, rows.ids, arguments["k"], host_api.check_interrupts)
    return ranked_batches(chunks, weights, rows, wanted)


def _best(
    mechanism: Mechanism, query: np.ndarray, rows: Rows, arguments: Arguments, settings: dict[str, Any]
) -> Answer | None:
    """The best rows in one pass, None where that is not for the mechanism, or not enough."""
    if not best.serves(mechanism, settings["options"], arguments["k"]):
        return None
    return best.best_rows(
        mechanism,
        query,
        rows.keyset,
        rows.ids,
        arguments["k"],
        **settings,
        normaliser=arguments["normaliser"],
        threads=THREADS.count,
        checkpoint=host_api.check_interrupts,
    )


def settle_source(arguments: Arguments, mechanism: Mechanism) -> Source:
    """The source relation, with the columns that were chosen put in effect."""
    source = resolve(
        arguments["table_name"],
        arguments["id_column"],
        arguments["vector_column"],
        arguments.id_type("id_column"),
        sets=late_interaction.compares_sets(mechanism, arguments),
    )
    arguments.settle("id_column", source.id_column)
    arguments.settle("vector_column", source.vector_column)
    return source


def find_query(arguments: Arguments, source: Source, rows: Rows, report: Report) -> np.ndarray:
    """The query vector: given, or that of the row `query_id`."""
    if arguments["query"] is not None:
        query: np.ndarray = arguments["query"]
        return query
    row_id = as_id(source.id_type, arguments["query_id"])
    places = rows.find(row_id)
    return rows.keyset[int(places[0])] if len(places) == 1 else read_vector(source, row_id, report)


def considered_rows(arguments: Arguments) -> float:
    """How many keys a search has, as far as the planner can know."""
    candidates = arguments.known("candidates")
    table_name = local_name(arguments, "table_name")
    relation = host_api.relation(table_name) if table_name else None
    rows = estimated_rows(relation) if relation else None
    rows = DEFAULT_ROWS if rows is None else rows
    return rows if candidates is None else min(rows, number_of(candidates))


_SOURCE = ("table_name", "id_column", "vector_column")


def explain_source(arguments: Arguments, operation: str) -> list[tuple[str, object]]:
    """The lines about the source, as far as the parameters that name it are known."""
    for name in (*_SOURCE, "attention_type", "order_column", "options", "model"):
        if isinstance(arguments[name], Unknown):
            return [("Source", arguments[name].text)]
    mechanism = shared.chosen_mechanism(arguments, operation)
    with shared.kernel_errors():
        options = shared.mechanism_options(mechanism, arguments)
    source = settle_source(arguments, mechanism)
    source = ordering.with_companions(source, arguments, mechanism, options)
    sets = late_interaction.compares_sets(mechanism, arguments)
    return [
        ("Source", source.description),
        ("Source Rows", round(considered_rows(arguments))),
        *([("Cache", "none (sets of vectors)")] if sets else explained(source)),
        ("Projections", mechanism.weights(options)),
    ]
