"""The table `gat_search`: the nodes around one node of a graph by the attention that it pays to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.errors import OUT_OF_RANGE, AttentionError
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels.edges import Reached
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.tables import graph, shared
from ruattn_fdw.tables.graph_explain import explain
from ruattn_fdw.tables.graph_scans import diffused, walked

STARTUP_COST = 10.0
COST_OF_READING_AN_EDGE = 0.01
COST_OF_A_RESULT_ROW = 0.05
DEGREE = 10
"""Neighbours of a node, for the planner, where the tables' sizes are not known."""
MOST_HOPS = 8
"""Hops within which the planner expects that all is reached."""

SEARCH = Table(
    name="gat_search",
    help="The nodes around one node of a graph, by the attention that it pays to them.",
    results=(
        Result("node_id", "bigint", "id of the node", named_by="node_id_column"),
        Result(
            "attention_score",
            "real",
            "attention weight, normalised over the neighbours; the product along the best path",
        ),
        Result("logit", "real", "value before normalisation, the mean over the heads; summed along the path"),
        Result("rank", "bigint", "place in the answer, from 1"),
        Result("hop", "integer", "hops to the node on the shortest way, 0 for the query node itself"),
        Result("head_scores", "real[]", "attention weight in each head, the product along the path"),
    ),
    parameters=(
        Parameter("node_table", "text", "relation that holds the nodes with their features", required=True),
        Parameter(
            "edge_table", "text", "relation that holds the edges, from source to target", required=True
        ),
        Parameter(
            "query_node_id", "bigint", "id of the node to start from", required=True, id_of="node_id_column"
        ),
        Parameter(
            "node_id_column",
            "text",
            "column of the nodes' ids",
            default_help="the single-column primary key, else id",
        ),
        Parameter(
            "feature_column",
            "text",
            "column of the features: real[], double precision[], vector or halfvec",
            default_help="the only one of a vector type",
        ),
        Parameter(
            "source_column",
            "text",
            "column with the id where an edge starts",
            default_help="source, src or from_id",
        ),
        Parameter(
            "target_column",
            "text",
            "column with the id where an edge ends",
            default_help="target, dst or to_id",
        ),
        Parameter(
            "num_heads",
            "integer",
            "number of nearly equal slices of the features, each a head of its own",
            minimum=1,
            default_help="4, or 1 for mechanisms without heads",
        ),
        shared.k_nearest("number of nodes wanted"),
        shared.TEMPERATURE,
        shared.attention_type("gatv2"),
        Parameter("hops", "integer", "longest path to a node", minimum=1, default=1),
        Parameter(
            "direction",
            "text",
            "how edges are followed: out to their target, in to their source, or both",
            default="both",
            among=("in", "out", "both"),
        ),
        Parameter(
            "self_loops",
            "boolean",
            "whether each node is a neighbour of itself, the query node too",
            default=True,
        ),
        shared.MODEL,
        shared.OPTIONS,
    ),
    order=(("attention_score", True), ("rank", False)),
    example="SELECT node_id, attention_score FROM gat_search WHERE node_table = 'documents' AND "
    "edge_table = 'links' AND query_node_id = 1 AND k = 10",
    source_row=SourceRow("node_id", "node_table", "node_id_column", "feature_column"),
)


class GatSearch(AttentionTable):
    """Walks from the query node along the edges, or spreads over all that it leads to."""

    declaration = SEARCH

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Rank the nodes that were reached."""
        mechanism = graph.settle_mechanism(arguments)
        with report.timing("check"):
            options = graph.settle_options(mechanism, arguments)
            sources = graph.settle_graph(arguments, options)
        scan = graph.Scan(mechanism, options, arguments, sources, memo, report)
        reached = walked(scan) if mechanism.weigh_graph is None else diffused(scan)
        report.scored(mechanism.name, sources[0].oid, len(scan.nodes))
        return emit(reached, scan.nodes.ids, wanted)

    def cost(self, arguments: Arguments) -> Cost:
        """Without an index all edges are read first; the neighbourhood decides how many rows come."""
        edges, nodes = _size(arguments, "edge_table"), _size(arguments, "node_table")
        degree = max(DEGREE, 2 * edges / max(nodes, 1))
        hops = MOST_HOPS if _reaches_all(arguments) else min(arguments.known("hops") or 1, MOST_HOPS)
        reached = min(degree**hops, max(nodes, 1))
        rows = max(1, min(arguments.known("k") or reached, reached))
        startup = STARTUP_COST + COST_OF_READING_AN_EDGE * min(edges, degree * reached)
        return Cost(rows, startup, startup + COST_OF_A_RESULT_ROW * rows)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism and its weights, nodes, edges and how they are read, parameters in effect."""
        return explain(arguments)


def emit(reached: Reached, ids: np.ndarray, wanted: Sequence[str]) -> Iterator[Batch]:
    """The one batch of the result columns."""
    known = ~np.isnan(reached.logit)
    _check_range(reached, ids)
    columns: dict[str, Any] = {
        "node_id": shown(ids[reached.node]),
        "attention_score": reached.score.astype(np.float32),
        "logit": (reached.logit.astype(np.float32), known),
        "rank": np.arange(1, len(reached.node) + 1),
        "hop": reached.hop.astype(np.int32),
    }
    if "head_scores" in wanted:
        columns["head_scores"] = reached.head_scores.astype(np.float32)
    if len(reached.node):
        yield Batch(len(reached.node), columns)


def _check_range(reached: Reached, ids: np.ndarray) -> None:
    beyond = np.flatnonzero(np.abs(reached.logit) > np.finfo(np.float32).max)
    if len(beyond):
        raise AttentionError(
            f"the logit of node {ids[reached.node[beyond[0]]]} overflows single precision",
            sqlstate=OUT_OF_RANGE,
            hint="Scale the features down, or raise the temperature.",
        )


def shown(ids: np.ndarray) -> np.ndarray | list[str]:
    """Ids as a result column."""
    return ids if ids.dtype.kind == "i" else list(ids.tolist())


def _size(arguments: Arguments, name: str) -> float:
    size = shared.known_size(arguments.known(name))
    return DEFAULT_ROWS if size is None else size


def _reaches_all(arguments: Arguments) -> bool:
    name = arguments.known("attention_type")
    return name is not None and shared.find_mechanism(name, SEARCH.name).weigh_graph is not None
