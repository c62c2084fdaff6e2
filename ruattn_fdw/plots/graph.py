"""What a node of a graph attends to: the nodes in rings by hop, lines by attention, and a list of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from psycopg import sql

from ruattn_fdw.asking import Connection, Search, conditions, identifier, relation_identifier
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.plots import canvas
from ruattn_fdw.plots.rings import Edge, places
from ruattn_fdw.plots.wording import asked, settings

SIDE, NAMES, LINE = 5.6, 3.9, 0.21
"""Inches: the drawing, the list beside it, a line of that list."""

# from a blue that is seen as a thin line
SHADES = ListedColormap(mpl.colormaps[canvas.SHADES](np.linspace(0.25, 1, 256)))

Nodes = dict[int, tuple[str, float, int]]
"""{id: (label, score, hop)}."""

COLUMNS = (
    "node_id",
    "attention_score",
    "hop",
    "attention_type",
    "num_heads",
    "temperature",
    "hops",
    "source_column",
    "target_column",
)


@dataclass(frozen=True)
class Neighbourhood:
    """The nodes, best first, and lines between them.

    centre: id of the query node. Edges have no weight where the mechanism has none for them.
    """

    centre: int
    nodes: Nodes
    edges: list[Edge]
    asked: str

    @property
    def hops(self) -> dict[int, int]:
        """How far each node is, the query node included."""
        return {**{node: hop for node, (_, _, hop) in self.nodes.items()}, self.centre: 0}

    @property
    def others(self) -> list[int]:
        """All but the query node."""
        return [node for node in self.nodes if node != self.centre]


def read(connection: Connection, search: Search) -> Neighbourhood:
    """Ask the search for the nodes, then for what lies between them."""
    rows = search.rows(connection, COLUMNS)
    effect = rows[0]
    nodes = {row["node_id"]: (row["label"], row["attention_score"], row["hop"]) for row in rows}
    diffuses = find(effect["attention_type"]).weigh_graph is not None
    between = _stored_edges if diffuses else _attention
    hops = [] if diffuses else [f"{effect['hops']} hop{'s' if effect['hops'] > 1 else ''}"]
    return Neighbourhood(
        int(search.values["query_node_id"]),
        nodes,
        between(connection, search, effect, nodes),
        f"{', '.join([settings(effect), *hops])}. {asked(connection, search)}.",
    )


def _attention(connection: Connection, search: Search, effect: dict[str, Any], nodes: Nodes) -> list[Edge]:
    """What each node that the walk expanded pays to those a hop further."""
    expanded = [node for node, (_, _, hop) in nodes.items() if hop < effect["hops"]]
    expanded.append(int(search.values["query_node_id"]))
    kept = dict(search.values)
    for name in ("query_node_id", "hops", "k"):
        kept.pop(name, None)
    statement = sql.SQL(
        "SELECT s.query_node_id, s.node_id, s.attention_score FROM gat_search s"
        " WHERE {} AND s.query_node_id = ANY (%(expanded)s::bigint[])"
    ).format(conditions(search.table, kept))
    found = connection.execute(statement, {**kept, "expanded": expanded}).fetchall()
    hops = {**{node: hop for node, (_, _, hop) in nodes.items()}, expanded[-1]: 0}
    return [edge for edge in found if edge[1] in nodes and hops[edge[0]] < hops[edge[1]]]


def _stored_edges(connection: Connection, search: Search, effect: dict[str, Any], nodes: Nodes) -> list[Edge]:
    """The edges between the nodes, of a mechanism that looks at all of them together."""
    statement = sql.SQL(
        "SELECT e.{source}, e.{target} FROM {edges} e"
        " WHERE e.{source} = ANY (%(nodes)s::bigint[]) AND e.{target} = ANY (%(nodes)s::bigint[])"
    ).format(
        source=identifier(effect["source_column"]),
        target=identifier(effect["target_column"]),
        edges=relation_identifier(connection, search.values["edge_table"]),
    )
    found = connection.execute(statement, {"nodes": list(nodes)}).fetchall()
    return [(*sorted(ends, key=lambda node: nodes[node][2]), None) for ends in found]


def draw(graph: Neighbourhood) -> Figure:
    """The rings on the left, the names with their scores on the right."""
    height = max(SIDE, LINE * (len(graph.nodes) + 3))
    figure, body = canvas.page(SIDE + NAMES, height, "Attention of a node in its graph", graph.asked)
    halves: Any = body.subfigures(1, 2, width_ratios=[SIDE, NAMES])
    left, right = halves
    # the drawing is beside the head of the list, however long that is
    top = left.subfigures(2, 1, height_ratios=[SIDE, height - SIDE])[0] if height > SIDE else left
    rings, names = top.subplots(), right.subplots()
    weights = [graph.nodes[node][1] for node in graph.others]
    weights += [weight for _, _, weight in graph.edges if weight is not None]
    shades = ScalarMappable(Normalize(0, max(weights, default=0) or 1), SHADES)
    _rings(rings, graph, shades)
    bar = top.colorbar(shades, ax=rings, orientation="horizontal", fraction=0.03, aspect=40, pad=0.01)
    known = any(weight is not None for _, _, weight in graph.edges)
    lines = "a line: attention of the inner node to the outer one; " if known else ""
    bar.set_label(f"{lines}a disc: score of the node", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    _names(names, graph)
    return figure


def _rings(axes: Axes, graph: Neighbourhood, shades: ScalarMappable) -> None:
    at = places(graph.centre, graph.hops, graph.edges)
    _, most = shades.get_clim()
    for near, far, weight in graph.edges:
        share = 0 if weight is None else weight / most
        colour = canvas.FAINT if weight is None else canvas.shade(shades, weight)
        axes.plot(
            *zip(at[near], at[far], strict=True), color=colour, linewidth=0.8 + 5 * share, zorder=1 + share
        )
    for number, node in enumerate(graph.others, start=1):
        colour = canvas.shade(shades, graph.nodes[node][1])
        axes.scatter(*at[node], s=240, color=[colour], edgecolors=canvas.BLUE, linewidths=0.8, zorder=3)
        look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5, "zorder": 4}
        axes.text(*at[node], str(number), color=canvas.ink_on(colour), **look)
    axes.scatter(*at[graph.centre], s=420, marker="*", color=canvas.RED, zorder=4)
    reach = 1.07 * max(*graph.hops.values(), 1)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    canvas.bare(axes)


def _names(axes: Axes, graph: Neighbourhood) -> None:
    """A line for each node; the numbers are those of the discs."""
    lines = [("", "node", "score", "hop")]
    if graph.centre in graph.nodes:
        lines.append(_line("\N{BLACK STAR}", *graph.nodes[graph.centre]))
    lines += [_line(str(number), *graph.nodes[node]) for number, node in enumerate(graph.others, start=1)]
    for place, line in enumerate(lines):
        look: dict[str, Any] = {"color": canvas.MUTED} if place == 0 else {"color": canvas.INK}
        for text, x, side in zip(
            line, (0.05, 0.08, 0.88, 1.0), ("right", "left", "right", "right"), strict=True
        ):
            axes.text(x, -place, text, ha=side, va="center", fontsize=8, parse_math=False, **look)
    axes.set(xlim=(0, 1), ylim=(-max(len(lines), SIDE / LINE), 1))
    axes.set_axis_off()


def _line(mark: str, label: str, score: float, hop: int) -> tuple[str, str, str, str]:
    return mark, canvas.short(label, 0.58 * NAMES), canvas.number(score), str(hop)
