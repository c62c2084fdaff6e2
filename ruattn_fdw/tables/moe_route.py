"""The table `moe_route`: the experts that a gate sends vectors to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import features, host_api
from ruattn_fdw.cache.rows import read_rows
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels import options
from ruattn_fdw.kernels.moe import gate, moe
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.relation import Source
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.tables import models, naming, shared
from ruattn_fdw.values import Unknown

STARTUP_COST = 10.0
COST_OF_READING_A_ROW = 0.05
COST_OF_A_RESULT_ROW = 0.01
BATCH = 4096
"""Vectors that are routed at once."""

_EITHER = "embedding, table_name"
_COUNT = moe.MECHANISM.parameters[0].range
assert isinstance(_COUNT, options.Interval)

ROUTE = Table(
    name="moe_route",
    help="The experts that a gate sends a vector, or each row of a relation, to.",
    results=(
        Result("id", "bigint", "id of the row, NULL for a vector given as embedding", named_by="id_column"),
        Result("expert", "integer", "number of the expert, from 0"),
        Result("weight", "real", "weight of the expert: a softmax over the experts chosen for the row"),
        Result("rank", "integer", "place of the expert among those of the row, from 1"),
    ),
    parameters=(
        Parameter("embedding", "attention_vector", "vector to route", one_of=_EITHER),
        Parameter("table_name", "text", "relation whose rows are to be routed", one_of=_EITHER),
        shared.ID_COLUMN,
        shared.VECTOR_COLUMN,
        Parameter("num_experts", "integer", "number of experts", default=8, minimum=1, maximum=_COUNT.high),
        Parameter("top_k", "integer", "number of experts for each vector", default=2, minimum=1),
        shared.MODEL,
        Parameter("options", "jsonb", 'the gate: {"gate": "seeded"} or {"gate": "kmeans"}, and its seed'),
    ),
    example="SELECT expert, weight FROM moe_route "
    "WHERE embedding = (SELECT embedding FROM documents WHERE id = 1)",
    source_row=SourceRow("id"),
)

_OF_THE_GATE = ("options", "num_experts", "top_k", "model")
KINDS = {
    "seeded": "seeded random projection, nothing is learned",
    "kmeans": "k-means centroids of the rows",
}


class MoeRoute(AttentionTable):
    """Makes the gate, then routes the vectors block by block."""

    declaration = ROUTE

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Read the rows, make the gate, and route."""
        features.require(moe.MECHANISM)
        settings = gate_settings(arguments)
        if arguments["table_name"] is None:
            with report.timing("kernel"), shared.kernel_errors():
                routed = route_vector(
                    arguments["embedding"], arguments["num_experts"], arguments["top_k"], settings
                )
            report.scored(moe.MECHANISM.name, 0, 1)
            return iter([_batch((None,), *routed)])
        source = settle_source(arguments)
        rows = read_rows(source, None, memo, report)
        report.scored(moe.MECHANISM.name, source.oid, len(rows))
        with report.timing("kernel"), shared.kernel_errors():
            vectors = (
                make_gate(rows.keys, arguments["num_experts"], settings) if len(rows) else np.empty((0, 0))
            )
        return _routed(rows, vectors, arguments["top_k"], report)

    def cost(self, arguments: Arguments) -> Cost:
        """Every row is read first."""
        table_name = arguments.known("table_name")
        size = shared.known_size(table_name)
        rows = DEFAULT_ROWS if size is None else size
        rows = rows if "table_name" in arguments and arguments["table_name"] is not None else 1
        startup = STARTUP_COST + COST_OF_READING_A_ROW * rows
        routed = max(1, rows * (arguments.known("top_k") or 2))
        return Cost(routed, startup, startup + COST_OF_A_RESULT_ROW * routed)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """The gate, the source and the parameters in effect."""
        features.require(moe.MECHANISM)
        lines: list[tuple[str, object]] = []
        model = arguments["model"]
        if not any(isinstance(arguments[name], Unknown) for name in _OF_THE_GATE):
            kind = gate_settings(arguments)["gate"]
            lines.append(("Gate", f"user (gate) of model {model}" if model else KINDS[kind]))
        return [*lines, *_explain_source(arguments), ("Parameters", arguments.summary())]


def gate_settings(arguments: Arguments) -> dict[str, Any]:
    """The options of the gate in effect; raises where they and the other parameters do not fit together."""
    if arguments["model"] is not None:
        return _learned(arguments, arguments["model"])
    with shared.kernel_errors():
        gate.check_top_k(arguments["num_experts"], arguments["top_k"])
        settings = options.parse(ROUTE.name, gate.ROUTE_OPTIONS, arguments["options"] or {})
    if settings["gate"] == "kmeans" and arguments["embedding"] is not None:
        raise AttentionError(
            'the gate "kmeans" is made of the rows of a relation, one embedding has none',
            hint='Give table_name instead of embedding, or take {"gate": "seeded"}.',
        )
    return settings


def _learned(arguments: Arguments, model: str) -> dict[str, Any]:
    """The gate of a model, which says how many experts there are."""
    if arguments["options"]:
        raise AttentionError(
            f'options are given, but the gate is that of model "{model}"',
            hint="They are for gates without a model: leave one of the two out.",
        )
    vectors = models.read_gate(model)
    if arguments.is_given("num_experts") and arguments["num_experts"] != len(vectors):
        raise AttentionError(
            f'num_experts is {arguments["num_experts"]}, model "{model}" has {len(vectors)} experts',
            hint="Leave num_experts out.",
        )
    arguments.declare("num_experts", len(vectors))
    with shared.kernel_errors():
        gate.check_top_k(len(vectors), arguments["top_k"])
    return {"gate": model, "vectors": vectors}


def make_gate(keys: np.ndarray, num_experts: int, settings: dict[str, Any]) -> np.ndarray:
    """Gate vectors for keys (n, d) as the settings ask for."""
    if "vectors" in settings:
        vectors: np.ndarray = settings["vectors"]
        gate.check_width(vectors, keys)
        return vectors
    if settings["gate"] == "seeded":
        return gate.seeded_gate(keys.shape[1], num_experts, settings["seed"])
    return gate.kmeans_gate(keys, num_experts, settings["seed"], host_api.check_interrupts)


def route_vector(
    embedding: np.ndarray, num_experts: int, top_k: int, settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Experts (1, k) and weights (1, k) of one vector (d,)."""
    return gate.route(embedding[None], make_gate(embedding[None], num_experts, settings), top_k)


def settle_source(arguments: Arguments) -> Source:
    """The source relation, with the columns that were chosen put in effect."""
    return naming.resolve_as(arguments, "table_name", "id_column", "vector_column")


def _routed(rows: Rows, vectors: np.ndarray, top_k: int, report: Report) -> Iterator[Batch]:
    """Batches over the rows by id."""
    by_id = np.argsort(rows.ids[:], kind="stable")
    for start in range(0, len(rows), BATCH):
        block = by_id[start : start + BATCH]
        host_api.check_interrupts()
        with report.timing("kernel"), shared.kernel_errors():
            experts, weights = gate.route(rows.keyset[block], vectors, top_k)
        yield _batch(rows.shown_ids(np.repeat(block, experts.shape[1])), experts, weights)


def _batch(ids: Any, experts: np.ndarray, weights: np.ndarray) -> Batch:
    columns = {
        "id": ids,
        "expert": experts.reshape(-1).astype(np.int32),
        "weight": weights.reshape(-1).astype(np.float32),
        "rank": np.tile(np.arange(1, experts.shape[1] + 1, dtype=np.int32), len(experts)),
    }
    return Batch(experts.size, columns)


def _explain_source(arguments: Arguments) -> list[tuple[str, object]]:
    if arguments["table_name"] is None:
        return []
    for name in ("table_name", "id_column", "vector_column"):
        if isinstance(arguments[name], Unknown):
            return [("Source", arguments[name].text)]
    return [("Source", settle_source(arguments).description)]
