"""The table `cross_attention`: every row of one relation asks, the rows of another answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.rows import explained, read_rows
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.nearest import Answers
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import local_name, schemas_of
from ruattn_fdw.source.relation import Source, estimated_rows
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import models, naming, ordering, sharded_cross, sharding, shared
from ruattn_fdw.tables.answers import answers_to
from ruattn_fdw.tables.mha_search import COST_OF_READING_A_ROW, SEARCH, STARTUP_COST
from ruattn_fdw.values import Unknown

COST_OF_A_PAIR = 0.001
MOST_ROWS = 16384
"""Rows of a batch: what a fast query waits for is small, and so is what a batch holds."""

_ID_HELP = "the single-column primary key, else id"
_VECTOR_HELP = "the only one of a vector type"

CROSS = Table(
    name="cross_attention",
    help="The rows of one relation by their attention weight for each row of another.",
    results=(
        Result("query_id", "bigint", "id of the row that asks", named_by="query_id_column"),
        Result("doc_id", "bigint", "id of the row that answers", named_by="document_id_column"),
        Result("score", "real", "attention weight, normalised over all documents; the mean over the heads"),
        Result("logit", "real", "value before normalisation, the mean over the heads"),
        Result("rank", "bigint", "place in the answer to this query, from 1"),
        Result("lse", "double precision[]", "log-sum-exp of this query's logits, one value for each head"),
    ),
    parameters=(
        Parameter("query_table", "text", "relation whose every row asks", required=True),
        Parameter("document_table", "text", "relation whose rows answer", required=True),
        Parameter("query_column", "text", "column of the vectors of query_table", default_help=_VECTOR_HELP),
        Parameter(
            "document_column", "text", "column of the vectors of document_table", default_help=_VECTOR_HELP
        ),
        Parameter("query_id_column", "text", "column of the ids of query_table", default_help=_ID_HELP),
        Parameter("document_id_column", "text", "column of the ids of document_table", default_help=_ID_HELP),
        shared.attention_type("scaled_dot"),
        shared.num_heads(default=1),
        shared.k_nearest("number of rows wanted for each query"),
        shared.TEMPERATURE,
        Parameter(
            "normaliser",
            "double precision[]",
            "replaces lse, a value for each head of each query, query after query by id",
        ),
        shared.MODEL,
        shared.OPTIONS_AND_SHARDS,
    ),
    order=(("query_id", False),),
    example="SELECT query_id, doc_id, score FROM cross_attention WHERE query_table = 'questions' AND "
    "document_table = 'documents' AND k = 3",
    source_row=SourceRow("doc_id", "document_table", "document_id_column", "document_column"),
    sharded="document_table",
)


class CrossAttention(AttentionTable):
    """Reads both relations, and yields the answers of one block of queries after the other, queries by id."""

    declaration = CROSS

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Read both, then attend as far as rows are asked for."""
        if schemas := schemas_of(arguments):
            queries = naming.by_id(read_rows(_asking(arguments), None, memo, report))
            return sharded_cross.cross_shards(SEARCH, arguments, schemas, queries, report)
        mechanism = shared.settle_mechanism(arguments, CROSS.name, ("document_table", "document_column"))
        options = shared.kernel_settings(mechanism, arguments)["options"]
        with report.timing("check"):
            asking, answering = _sources(arguments)
            answering = ordering.with_columns(answering, mechanism, options)
        queries = naming.by_id(read_rows(asking, None, memo.setdefault("queries", {}), report))
        documents = read_rows(answering, None, memo.setdefault("documents", {}), report)
        report.scored(mechanism.name, answering.oid, len(queries) * len(documents))
        shared.check_memory("queries and documents", queries.keyset, documents.keyset)
        shared.check_pairs(mechanism, len(queries), len(documents))
        if not len(queries) or not len(documents):
            return iter(())
        with report.timing("kernel"), shared.kernel_errors():
            queries = models.project_queries(mechanism, queries, asking.label)
            documents = models.project_keys(mechanism, documents, answering.label)
        settings = shared.many_settings(mechanism, arguments, queries.width)
        _check_dimensions(queries, asking, documents, answering, settings)
        shared.send_remark(mechanism, documents.keyset, settings.heads, settings.options, memo)
        answers = answers_to(queries.keys, settings, answering, documents, arguments, report)
        return _emit(answers, queries, documents)

    def cost(self, arguments: Arguments) -> Cost:
        """Every query is compared with every document."""
        queries, documents = (_rows(arguments, name) for name in ("query_table", "document_table"))
        rows = queries * min(arguments.known("k") or documents, documents)
        startup = STARTUP_COST + COST_OF_READING_A_ROW * (queries + documents)
        return Cost(max(1, rows), startup, startup + COST_OF_A_PAIR * queries * documents)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism, both relations and parameters in effect."""
        if schemas := schemas_of(arguments):
            return sharding.explained(arguments, schemas, SEARCH)
        lines = [shared.explain_mechanism(arguments, CROSS.name, ("document_table", "document_column"))]
        unknown = [arguments[n] for n in CROSS_SOURCES if isinstance(arguments[n], Unknown)]
        if unknown:
            lines.append(("Sources", ", ".join(value.text for value in unknown)))
        else:
            asking, answering = _sources(arguments)
            lines += [("Queries", asking.description), ("Query Rows", round(_rows(arguments, "query_table")))]
            lines += [("Documents", answering.description)]
            lines += [("Document Rows", round(_rows(arguments, "document_table")))]
            lines += explained(answering)
        lines.append(shared.explain_projections(arguments, CROSS.name))
        return [*lines, ("Parameters", arguments.summary())]

    def details(self, arguments: Arguments) -> list[tuple[str, object]]:
        """What is sent to shards for each query."""
        schemas = schemas_of(arguments)
        return sharded_cross.details(SEARCH, arguments, schemas) if schemas else []


CROSS_SOURCES = (
    "query_table",
    "document_table",
    "query_column",
    "document_column",
    "query_id_column",
    "document_id_column",
)


def _sources(arguments: Arguments) -> tuple[Source, Source]:
    """The relation that asks and the one that answers."""
    return (
        _asking(arguments),
        naming.resolve_as(arguments, "document_table", "document_id_column", "document_column"),
    )


def _asking(arguments: Arguments) -> Source:
    return naming.resolve_as(arguments, "query_table", "query_id_column", "query_column")


def _check_dimensions(
    queries: Rows, asking: Source, documents: Rows, answering: Source, settings: Settings
) -> None:
    width = queries.width
    fitting = shared.key_widths(settings.mechanism, width, settings.heads, settings.options)
    if documents.width not in fitting:
        raise AttentionError(
            f"{asking.label} has {queries.width} dimensions, {answering.label} has {documents.width}",
            hint="Both columns must hold embeddings of the same model.",
        )


def _emit(answers: Iterator[Answers], queries: Rows, documents: Rows) -> Iterator[Batch]:
    """Batches of the answers, cut to moderate length."""
    for found in answers:
        for start in range(0, len(found.row), MOST_ROWS):
            part = slice(start, start + MOST_ROWS)
            logit = found.logit[part]
            yield Batch(
                len(found.row[part]),
                {
                    "query_id": queries.shown_ids(found.query[part]),
                    "doc_id": documents.shown_ids(found.row[part]),
                    "score": found.score[part],
                    "logit": (logit, ~np.isnan(logit)),
                    "rank": found.rank[part],
                    "lse": (found.lse[part], ~np.isnan(found.lse[part]).any(axis=1)),
                },
            )


def _rows(arguments: Arguments, name: str) -> float:
    """The planner's estimate of one of the relations."""
    table = local_name(arguments, name)
    relation = host_api.relation(table) if table else None
    rows = estimated_rows(relation) if relation else None
    return DEFAULT_ROWS if rows is None else rows
