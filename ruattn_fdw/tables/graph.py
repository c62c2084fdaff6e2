"""What a search in a graph settles before it reads: mechanism, options, and the tables of nodes and edges."""

from __future__ import annotations

from typing import Any

from ruattn_fdw.errors import AttentionError
from ruattn_fdw.kernels.graph.attributes import EDGE_COLUMN
from ruattn_fdw.kernels.mechanism import (
    Mechanism,
    check_trained_heads,
    parse_num_heads,
    parse_options,
)
from ruattn_fdw.kernels.problem import Options
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.edge_reader import EdgeReader
from ruattn_fdw.source.edges import EdgeSource, resolve_edges
from ruattn_fdw.source.nodes import Nodes
from ruattn_fdw.source.relation import Source
from ruattn_fdw.tables import naming, shared
from ruattn_fdw.values import Unknown

SEARCH = "gat_search"
HEADS = 4
"""Heads where nothing else is said, of mechanisms that have them."""


class Scan:
    """One search: what it asks for, with the query node read and the edges ready to be."""

    def __init__(
        self,
        mechanism: Mechanism,
        options: Options,
        arguments: Arguments,
        sources: tuple[Source, EdgeSource],
        memo: dict[str, Any],
        report: Report,
    ) -> None:
        self.mechanism, self.options, self.arguments = mechanism, options, arguments
        self.memo, self.report = memo, report
        self.nodes = Nodes(sources[0], arguments["query_node_id"], report)
        self.edge_source = sources[1]
        self.edges = EdgeReader(sources[1], memo, report)


def settle_mechanism(arguments: Arguments) -> Mechanism:
    """The mechanism, with the defaults that depend on it put in effect."""
    mechanism = shared.chosen_mechanism(arguments, SEARCH)
    arguments.settle("num_heads", 1 if mechanism.whole else HEADS)
    return shared.settle_mechanism(arguments, SEARCH, None)


def settle_options(mechanism: Mechanism, arguments: Arguments) -> Options:
    """The mechanism's options; raises where parameters do not go with it."""
    hops, heads = arguments["hops"], arguments["num_heads"]
    if mechanism.weigh_graph is not None and not isinstance(hops, Unknown) and hops != 1:
        raise AttentionError(
            f"hops is {hops}, {mechanism.name} scores every node that the edges lead to",
            hint="Leave hops out; the result hop says how far a node is.",
        )
    with shared.kernel_errors():
        if not isinstance(heads, Unknown):
            check_trained_heads(mechanism, heads)
            if mechanism.whole:
                parse_num_heads(mechanism, heads, 1)
        return parse_options(mechanism, arguments["options"] or {})


def settle_graph(arguments: Arguments, options: Options) -> tuple[Source, EdgeSource]:
    """Nodes and edges, with the columns that were chosen put in effect."""
    nodes = naming.resolve_as(arguments, "node_table", "node_id_column", "feature_column")
    edges = resolve_edges(
        arguments["edge_table"],
        arguments["source_column"],
        arguments["target_column"],
        arguments["direction"],
        options.get(EDGE_COLUMN),
        nodes,
    )
    arguments.settle("source_column", edges.source_column)
    arguments.settle("target_column", edges.target_column)
    return nodes, edges
