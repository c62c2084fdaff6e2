"""The table `neural_rerank`: the rows of a relation by what a learned model says of their texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw import host_api, models
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.handler import AttentionTable, Batch, Cost
from ruattn_fdw.kernels import options
from ruattn_fdw.kernels.neural import rerank
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.texts import TextRows, read_texts, resolve_texts
from ruattn_fdw.tables import shared
from ruattn_fdw.tables.answers import name_row
from ruattn_fdw.tables.mha_search import considered_rows
from ruattn_fdw.values import Unknown

STARTUP_COST = 100.0
COST_OF_A_PAIR = 100.0
COST_OF_A_RESULT_ROW = 0.01

RERANK = Table(
    name="neural_rerank",
    help="The rows of a relation by the relevance that a learned model sees in their texts for a query.",
    results=(
        Result("id", "bigint", "id of the row", named_by="id_column"),
        Result("score", "real", "relevance: the model's logit or cosine, or what options make of it"),
        Result("rank", "bigint", "place in the answer, from 1"),
    ),
    parameters=(
        Parameter(
            "table_name",
            "text",
            "relation that holds the texts; its name resolves as in SQL",
            required=True,
        ),
        Parameter("text_column", "text", "column of the texts", default_help="the only one of a text type"),
        Parameter("query_text", "text", "what the texts are to be relevant to", required=True),
        Parameter(
            "model", "text", "name of a model that the administrator offers for reranking", required=True
        ),
        shared.ID_COLUMN,
        Parameter(
            "candidates", "bigint[]", "ids of the rows to score; all others are left out", id_of="id_column"
        ),
        shared.k_nearest("number of rows wanted; all candidates are scored"),
        Parameter(
            "options",
            "jsonb",
            'how the model is asked: {"max_length": 256} cuts texts to so many tokens, '
            '{"activation": "sigmoid"} gives scores between 0 and 1',
        ),
    ),
    order=(("score", True), ("rank", False)),
    example="SELECT id, score FROM neural_rerank WHERE table_name = 'documents' AND text_column = 'body' "
    "AND query_text = 'a bird of prey' AND model = 'minilm' AND candidates = '{1,2,3}'",
    source_row=SourceRow("id", column="text_column", texts=True),
)


class NeuralRerank(AttentionTable):
    """Reads the texts, scores all of them, and yields the rows best first."""

    declaration = RERANK

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Load the model where it is not, read, score and sort."""
        report.skipped_label = "NULL Texts Skipped"
        settings = _settings(arguments)
        source = _settle_source(arguments)
        with report.timing("check"):
            encoder, loaded = models.MODELS.get(arguments["model"])
        report.note({"Model Kind": encoder.kind, "Model Use": "loaded" if loaded else "kept"})
        rows = read_texts(source, arguments["candidates"], memo, report)
        report.scored("", source.oid, len(rows))
        with (
            report.timing("kernel"),
            shared.kernel_errors(partial(name_row, source, rows)),
            models.model_errors(arguments["model"]),
        ):
            found, cut = encoder.score(
                arguments["query_text"],
                rows.texts,
                settings["max_length"],
                host_api.check_interrupts,
                host_api.interrupted,
            )
            best = rerank.best(found, rows.ids, arguments["k"])
            scores = rerank.activated(found[best], settings["activation"])
        report.count("Texts Cut", cut)
        return iter([_batch(rows, best, scores)])

    def cost(self, arguments: Arguments) -> Cost:
        """The model is run for every row that is considered, before the first one comes."""
        considered = considered_rows(arguments)
        rows = max(1, min(arguments.known("k") or considered, considered))
        startup = STARTUP_COST + COST_OF_A_PAIR * considered
        return Cost(rows, startup, startup + COST_OF_A_RESULT_ROW * rows)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Model, source and parameters in effect."""
        return [*_explain_model(arguments), *_explain_source(arguments), ("Parameters", arguments.summary())]


def _settings(arguments: Arguments) -> dict[str, Any]:
    with shared.kernel_errors():
        return options.parse(RERANK.name, rerank.OPTIONS, arguments["options"] or {})


def _settle_source(arguments: Arguments) -> Source:
    """The source relation, with the columns that were chosen put in effect."""
    source = resolve_texts(
        arguments["table_name"],
        arguments["id_column"],
        arguments["text_column"],
        arguments.id_type("id_column"),
    )
    arguments.settle("id_column", source.id_column)
    arguments.settle("text_column", source.vector_column)
    return source


def _batch(rows: TextRows, best: np.ndarray, scores: np.ndarray) -> Batch:
    columns = {"id": rows.shown_ids(best), "score": scores, "rank": np.arange(1, len(best) + 1)}
    return Batch(len(best), columns)


def _explain_model(arguments: Arguments) -> list[tuple[str, object]]:
    model = arguments["model"]
    if not isinstance(arguments["options"], Unknown):
        _settings(arguments)
    if isinstance(model, Unknown):
        return [("Model", model.text)]
    models.find(model)
    return [("Model", model)]


def _explain_source(arguments: Arguments) -> list[tuple[str, object]]:
    """The lines about the source, as far as the parameters that name it are known."""
    for name in ("table_name", "id_column", "text_column"):
        if isinstance(arguments[name], Unknown):
            return [("Source", arguments[name].text)]
    source = _settle_source(arguments)
    return [("Source", source.description), ("Source Rows", round(considered_rows(arguments)))]
