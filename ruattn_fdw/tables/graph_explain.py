"""What EXPLAIN tells of a search in a graph."""

from __future__ import annotations

from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.problem import Options
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.tables import graph, shared
from ruattn_fdw.values import Unknown

NAMES = ("node_table", "edge_table", "node_id_column", "feature_column", "source_column", "target_column")


def explain(arguments: Arguments) -> list[tuple[str, object]]:
    """Mechanism and its weights, nodes, edges and how they are read, parameters in effect."""
    lines, settled = _explain_mechanism(arguments), _settled(arguments)
    if settled is not None:
        lines += _explain_graph(arguments, *settled)
    return [*lines, ("Parameters", arguments.summary())]


def _settled(arguments: Arguments) -> tuple[Mechanism, Options] | None:
    """Mechanism and options, None until they are known."""
    if any(isinstance(arguments[name], Unknown) for name in ("attention_type", "options", "model")):
        return None
    mechanism = graph.settle_mechanism(arguments)
    return mechanism, graph.settle_options(mechanism, arguments)


def _explain_mechanism(arguments: Arguments) -> list[tuple[str, object]]:
    if not isinstance(arguments["attention_type"], Unknown):
        graph.settle_mechanism(arguments)
    line, settled = shared.explain_mechanism(arguments, graph.SEARCH, None), _settled(arguments)
    return [line] if settled is None else [line, ("Weights", _weights(*settled))]


def _weights(mechanism: Mechanism, options: Options) -> str:
    """What stands in for learned weights; raises where nothing does."""
    if mechanism.edges is not None and mechanism.heads is None:
        with shared.kernel_errors():
            mechanism.edges(1, 1, 1.0, options)
    return mechanism.weights(options)


def _explain_graph(arguments: Arguments, mechanism: Mechanism, options: Options) -> list[tuple[str, object]]:
    """The lines about the graph, as far as the parameters that name it are known."""
    for name in (*NAMES, "direction"):
        if isinstance(arguments[name], Unknown):
            return [("Graph", arguments[name].text)]
    nodes, edges = graph.settle_graph(arguments, options)
    by_index = edges.indexed and mechanism.edges is not None
    return [
        ("Nodes", nodes.description),
        ("Edges", edges.description),
        ("Edge Access", "by index, the edges around each node" if by_index else "all edges, once"),
        ("Dtype", "float32"),
    ]
