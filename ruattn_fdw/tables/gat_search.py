"""The table `gat_search`: the nodes around one node of a graph by the attention that it pays to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.declaration import Parameter, Result, SourceRow, Table
from ruattn_fdw.handler import DEFAULT_ROWS, AttentionTable, Batch, Cost
from ruattn_fdw.kernels.graph.neighbours import distinct_pairs
from ruattn_fdw.kernels.graph.paths import Reached, Walk
from ruattn_fdw.kernels.mechanism import EdgeScorer, Mechanism, parse_options, parse_temperature
from ruattn_fdw.memory import check_memory
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.edges import Edges, EdgeSource, resolve_edges
from ruattn_fdw.source.nodes import Nodes
from ruattn_fdw.source.relation import Source
from ruattn_fdw.tables import naming, shared
from ruattn_fdw.values import Unknown

STARTUP_COST = 10.0
COST_OF_READING_AN_EDGE = 0.01
COST_OF_A_RESULT_ROW = 0.05
DEGREE = 10
"""Neighbours of a node, for the planner, where the tables' sizes are not known."""

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
            default=4,
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

UNUSED = {"model": "mechanisms with a named weight set"}


class GatSearch(AttentionTable):
    """Walks from the query node, reading edges and features as it meets them."""

    declaration = SEARCH

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Walk, and rank the nodes that were reached."""
        shared.refuse_unused(arguments, UNUSED)
        mechanism = shared.settle_mechanism(arguments, SEARCH.name)
        with report.timing("check"):
            node_source, edge_source = settle_graph(arguments)
        nodes = Nodes(node_source, arguments["query_node_id"], report)
        scorer = edge_scorer(mechanism, arguments, nodes.features, memo)
        walk = Walk(arguments["num_heads"])
        edges = Edges(edge_source, memo, report)
        for _ in range(arguments["hops"]):
            if walk.ended:
                break
            expand(walk, nodes, edges, scorer, arguments, report)
        return emit(walk.reached(nodes.ids, arguments["k"]), nodes.ids, wanted)

    def cost(self, arguments: Arguments) -> Cost:
        """Without an index all edges are read first; the neighbourhood decides how many rows come."""
        edges, nodes = _size(arguments, "edge_table"), _size(arguments, "node_table")
        degree = max(DEGREE, 2 * edges / max(nodes, 1))
        reached = min(degree ** min(arguments.known("hops") or 1, 8), max(nodes, 1))
        rows = max(1, min(arguments.known("k") or reached, reached))
        startup = STARTUP_COST + COST_OF_READING_AN_EDGE * min(edges, degree * reached)
        return Cost(rows, startup, startup + COST_OF_A_RESULT_ROW * rows)

    def explanation(self, arguments: Arguments) -> list[tuple[str, object]]:
        """Mechanism and its weights, nodes, edges and how they are read, parameters in effect."""
        shared.refuse_unused(arguments, UNUSED)
        return [
            *_explain_mechanism(arguments),
            *_explain_graph(arguments),
            ("Parameters", arguments.summary()),
        ]


def settle_graph(arguments: Arguments) -> tuple[Source, EdgeSource]:
    """Nodes and edges, with the columns that were chosen put in effect."""
    nodes = naming.resolve_as(arguments, "node_table", "node_id_column", "feature_column")
    edges = resolve_edges(
        arguments["edge_table"],
        arguments["source_column"],
        arguments["target_column"],
        arguments["direction"],
        nodes,
    )
    arguments.settle("source_column", edges.source_column)
    arguments.settle("target_column", edges.target_column)
    return nodes, edges


def edge_scorer(
    mechanism: Mechanism, arguments: Arguments, features: np.ndarray, memo: dict[str, Any]
) -> EdgeScorer:
    """The mechanism made ready for these features; tells the user what there is to know of its weights."""
    assert mechanism.edges is not None
    heads = arguments["num_heads"]
    with shared.kernel_errors():
        options = parse_options(mechanism, arguments["options"] or {})
        temperature = parse_temperature(mechanism, arguments["temperature"])
        scorer = mechanism.edges(features.shape[1], heads, temperature, options)
    shared.send_remark(mechanism, features, heads, options, memo)
    return scorer


def expand(
    walk: Walk, nodes: Nodes, edges: Edges, scorer: EdgeScorer, arguments: Arguments, report: Report
) -> None:
    """One hop: read the edges of the nodes to expand, meet their neighbours, and let the paths grow."""
    at = walk.to_expand
    centres, neighbours = edges.around(nodes.ids[at])
    nodes.meet(neighbours)
    host_api.check_interrupts()
    with report.timing("kernel"), shared.kernel_errors():
        loops = at if arguments["self_loops"] else at[:0]
        pairs = distinct_pairs(*nodes.pairs(centres, neighbours), loops)
        check_memory(
            "the weights of the edges", 24 * len(pairs[0]) * arguments["num_heads"], "take fewer hops"
        )
        logits = scorer(nodes.features, *pairs, host_api.check_interrupts)
        host_api.check_interrupts()
        walk.step(len(nodes), *pairs, logits)
    host_api.check_interrupts()


def emit(reached: Reached, ids: np.ndarray, wanted: Sequence[str]) -> Iterator[Batch]:
    """The one batch of the result columns."""
    columns: dict[str, Any] = {
        "node_id": shown(ids[reached.node]),
        "attention_score": reached.score.astype(np.float32),
        "logit": reached.logit.astype(np.float32),
        "rank": np.arange(1, len(reached.node) + 1),
        "hop": reached.hop.astype(np.int32),
    }
    if "head_scores" in wanted:
        columns["head_scores"] = reached.head_scores.astype(np.float32)
    if len(reached.node):
        yield Batch(len(reached.node), columns)


def shown(ids: np.ndarray) -> np.ndarray | list[str]:
    """Ids as a result column."""
    return ids if ids.dtype.kind == "i" else list(ids.tolist())


def _size(arguments: Arguments, name: str) -> float:
    size = shared.known_size(arguments.known(name))
    return DEFAULT_ROWS if size is None else size


def _explain_mechanism(arguments: Arguments) -> list[tuple[str, object]]:
    line = shared.explain_mechanism(arguments, SEARCH.name)
    if any(isinstance(arguments[name], Unknown) for name in ("attention_type", "options")):
        return [line]
    mechanism = shared.find_mechanism(arguments["attention_type"], SEARCH.name)
    assert mechanism.edges is not None
    with shared.kernel_errors():
        options = parse_options(mechanism, arguments["options"] or {})
        mechanism.edges(1, 1, 1.0, options)
    init = options.get("init")
    return [line, ("Weights", f"{init}, untrained" if init else "metric, -||h_i - h_j||_1")]


def _explain_graph(arguments: Arguments) -> list[tuple[str, object]]:
    """The lines about the graph, as far as the parameters that name it are known."""
    names = ("node_table", "edge_table", "node_id_column", "feature_column", "source_column", "target_column")
    for name in (*names, "direction"):
        if isinstance(arguments[name], Unknown):
            return [("Graph", arguments[name].text)]
    nodes, edges = settle_graph(arguments)
    reading = "by index, the edges around each node" if edges.indexed else "all edges, once"
    return [
        ("Nodes", nodes.description),
        ("Edges", edges.description),
        ("Edge Access", reading),
        ("Dtype", "float32"),
    ]
