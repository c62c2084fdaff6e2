from collections.abc import Callable
from math import hypot, isclose, sqrt

import pytest
from matplotlib.figure import Figure

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots import graph
from ruattn_fdw.plots.rings import places
from ruattn_fdw.tables.gat_search import SEARCH

Make, Legible = Callable[..., Search], Callable[[Figure], list[str]]
GRAPH = {"node_table": "documents", "edge_table": "links"}


def test_lines_over_one_hop_are_the_scores(pictures: Connection, labelled: Make, legible: Legible) -> None:
    found = graph.read(pictures, labelled(SEARCH, **GRAPH, query_node_id=1, k=60))
    scores = {(1, node): score for node, (_, score, hop) in found.nodes.items() if hop == 1}
    assert scores == {(near, far): weight for near, far, weight in found.edges}
    assert len(scores) == 12
    texts = legible(graph.draw(found))
    assert {str(number) for number in range(1, 13)} <= set(texts)


def test_scores_over_two_hops_are_products_of_lines(
    pictures: Connection, labelled: Make, legible: Legible
) -> None:
    values = {**GRAPH, "query_node_id": 1, "hops": 2, "direction": "out", "self_loops": False}
    found = graph.read(pictures, labelled(SEARCH, **values))
    weights = {(near, far): weight or 0 for near, far, weight in found.edges}
    for node, (_, score, hop) in found.nodes.items():
        if hop == 2:
            paths = [weights[1, near] * weight for (near, far), weight in weights.items() if far == node]
            assert isclose(max(paths), score, rel_tol=1e-5)
    assert found.asked.startswith(
        "gatv2, 4 heads, temperature 1, 2 hops. documents, asked by row 1 (document 1"
    )
    legible(graph.draw(found))


def test_a_mechanism_of_the_whole_graph_has_plain_lines(
    pictures: Connection, labelled: Make, legible: Legible
) -> None:
    values = {**GRAPH, "query_node_id": 1, "attention_type": "ppr_diffusion", "k": 30}
    found = graph.read(pictures, labelled(SEARCH, **values))
    assert {weight for _, _, weight in found.edges} == {None}
    stored = pictures.execute("SELECT source, target FROM links").fetchall()
    assert all((near, far) in stored or (far, near) in stored for near, far, _ in found.edges)
    assert not any("a line" in text for text in legible(graph.draw(found)))


def test_attention_that_is_all_of_the_node_itself_is_drawn(
    pictures: Connection, labelled: Make, legible: Legible
) -> None:
    found = graph.read(pictures, labelled(SEARCH, **GRAPH, query_node_id=1, temperature=1e-6))
    assert {weight for _, _, weight in found.edges} == {0}
    legible(graph.draw(found))


def test_nodes_lie_on_their_rings_apart_from_each_other() -> None:
    hops = {0: 0, **dict.fromkeys(range(1, 11), 1), **dict.fromkeys(range(11, 41), 2)}
    edges = [(0, node, 0.1) for node in range(1, 11)] + [(1 + node % 10, node, 0.1) for node in range(11, 41)]
    at = places(0, hops, edges)
    assert all(isclose(hypot(*point), hops[node], abs_tol=1e-9) for node, point in at.items())
    nearest = min(
        hypot(x - u, y - v) for node, (x, y) in at.items() for other, (u, v) in at.items() if node < other
    )
    assert nearest > 0.3


def test_a_node_whose_way_is_not_shown_hangs_from_the_middle() -> None:
    assert hypot(*places(0, {0: 0, 5: 2}, [])[5]) == pytest.approx(2)


@pytest.mark.parametrize("hops", [1, 8])
@pytest.mark.parametrize("count", [0, 8, 59])
def test_rings_stand_beside_the_head_of_the_list_and_all_discs_are_on_them(
    legible: Legible, hops: int, count: int
) -> None:
    nodes = {node: (f"node {node}", 1 / (node + 1), min(node, hops)) for node in range(count + 1)}
    edges = [(max(0, min(node, hops) - 1), node, 0.1) for node in range(1, count + 1)]
    figure = graph.draw(graph.Neighbourhood(0, nodes, edges, "a chain, asked by its end."))
    legible(figure)
    rings = figure.axes[0].get_window_extent()
    assert rings.y1 > figure.bbox.height - 2 * figure.dpi
    radius = figure.dpi * sqrt(240) / 2 / 72
    for disc in figure.axes[0].collections:
        [[x, y]] = figure.axes[0].transData.transform(disc.get_offsets())
        assert rings.x0 <= x - radius <= x + radius <= rings.x1
        assert rings.y0 <= y - radius <= y + radius <= rings.y1
