"""The two ways to search a graph: a walk hop by hop, and one solution for all that the edges lead to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.kernels.edges import Edges, EdgeScorer, GraphProblem, Reached
from ruattn_fdw.kernels.graph.neighbours import distinct_edges, shortest_hops
from ruattn_fdw.kernels.graph.paths import START, Walk
from ruattn_fdw.kernels.mechanism import parse_temperature
from ruattn_fdw.memory import check_memory
from ruattn_fdw.source.edges import EdgeSource
from ruattn_fdw.source.nodes import Nodes
from ruattn_fdw.tables import shared
from ruattn_fdw.tables.graph import Scan


def walked(scan: Scan) -> Reached:
    """The best nodes within so many hops; edges and features are read as the walk comes upon them."""
    arguments = scan.arguments
    scorer = _edge_scorer(scan)
    walk = Walk(arguments["num_heads"])
    for _ in range(arguments["hops"]):
        if walk.ended:
            break
        _expand(walk, scan, scorer)
    return walk.reached().best(scan.nodes.ids, arguments["k"])


def diffused(scan: Scan) -> Reached:
    """The best of all nodes that the edges lead to; all edges are read, and the features of those nodes."""
    arguments, nodes = scan.arguments, scan.nodes
    assert scan.mechanism.weigh_graph is not None
    with shared.kernel_errors():
        temperature = parse_temperature(scan.mechanism, arguments["temperature"])
    found = scan.edges.every()
    nodes.meet(_led_to(found, nodes.ids[START : START + 1]))
    edges = distinct_edges(nodes.indexed(found), np.empty(0, np.intp))
    check_memory("the edges of the graph", 80 * len(edges), "restrict the edges with a view")
    with scan.report.timing("kernel"), _edge_errors(scan.edge_source, nodes, edges):
        reached = scan.mechanism.weigh_graph(
            GraphProblem(nodes.features, edges, START, temperature, scan.options, host_api.check_interrupts)
        )
    if not arguments["self_loops"]:
        reached = reached.take(reached.node != START)
    return reached.best(nodes.ids, arguments["k"])


def _led_to(edges: Edges, start: np.ndarray) -> np.ndarray:
    """The ids of all nodes that a way leads to from the start, the start (1,) among them."""
    ids, places = np.unique(np.concatenate([edges.neighbours, start]), return_inverse=True)
    centres = np.searchsorted(ids, edges.centres).clip(max=len(ids) - 1)
    indexed = Edges(centres, places[:-1]).take(ids[centres] == edges.centres)
    hops = shortest_hops(len(ids), indexed, int(places[-1]), host_api.check_interrupts)
    found: np.ndarray = ids[hops >= 0]
    return found


def _edge_scorer(scan: Scan) -> EdgeScorer:
    """The mechanism made ready for these features; tells the user what there is to know of its weights."""
    mechanism, features, heads = scan.mechanism, scan.nodes.features, scan.arguments["num_heads"]
    assert mechanism.edges is not None
    with shared.kernel_errors():
        temperature = parse_temperature(mechanism, scan.arguments["temperature"])
        scorer = mechanism.edges(features.shape[1], heads, temperature, scan.options)
    shared.send_remark(mechanism, features, heads, scan.options, scan.memo)
    return scorer


def _expand(walk: Walk, scan: Scan, scorer: EdgeScorer) -> None:
    """One hop: read the edges of the nodes to expand, meet their neighbours, and let the paths grow."""
    nodes, at = scan.nodes, walk.to_expand
    found = scan.edges.around(nodes.ids[at])
    nodes.meet(found.neighbours)
    host_api.check_interrupts()
    edges = distinct_edges(nodes.indexed(found), at if scan.arguments["self_loops"] else at[:0])
    with scan.report.timing("kernel"), _edge_errors(scan.edge_source, nodes, edges):
        check_memory(
            "the weights of the edges", 24 * len(edges) * scan.arguments["num_heads"], "take fewer hops"
        )
        logits = scorer(nodes.features, edges, host_api.check_interrupts)
        host_api.check_interrupts()
        walk.step(len(nodes), edges, logits)
    host_api.check_interrupts()


@contextmanager
def _edge_errors(source: EdgeSource, nodes: Nodes, edges: Edges) -> Iterator[None]:
    """The kernels' errors, with edges called by the ids of their ends."""

    def name(place: int) -> str:
        ends = edges.centres[place], edges.neighbours[place]
        return source.name_of(*(nodes.ids[end] for end in ends))

    with shared.kernel_errors(name):
        yield
