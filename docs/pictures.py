"""Draw the weights of each mechanism on a small example, a picture for each family: python docs/pictures.py

    pip install -e .[plot]

Points of the plane for mechanisms that go by vectors, a sequence for those that know an order, a graph for
those that follow edges, a matrix for those that weigh all queries together. The weights are the kernels' own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings, weigh_batch
from ruattn_fdw.kernels.edges import Edges, GraphProblem
from ruattn_fdw.kernels.graph.attributes import EDGE_COLUMN
from ruattn_fdw.kernels.graph.neighbours import softmax_by_centre
from ruattn_fdw.kernels.mechanism import Mechanism, parse_options
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import MECHANISMS

HERE = Path(__file__).parent / "mechanisms"
COLOUR, MUTED, OTHER = "#31688e", "#c8ccd0", "#b5452c"
COLUMNS = 3
OPTIONS: dict[str, dict[str, Any]] = {
    "additive": {"init": "identity"},
    "edge_featured_gat": {"version": 2},
    "gat": {"init": "seeded"},
    "local_global": {"window": 8, "global_tokens": 2},
    "mincut_gated": {"knn": 4},
    "moe": {"num_experts": 3, "top_k": 1},
    "routing": {"n_clusters": 3},
    "selective_ssm": {"dt": -2.0},
    "sliced_wasserstein": {"token_dim": 1},
    "sliding_window": {"window_size": 8},
    "sparse": {"stride": 6},
    "topology_gated": {"knn": 4, "width": 12},
}
"""Options that show on few keys what the defaults show on many."""


def points() -> tuple[np.ndarray, np.ndarray]:
    """A query and 42 keys in the unit ball: three clusters."""
    random = np.random.RandomState(4)
    centres = np.array([[0.55, 0.35], [-0.5, 0.4], [0.05, -0.6]])
    keys = np.concatenate([centre + 0.13 * random.standard_normal((14, 2)) for centre in centres])
    return np.array([0.4, 0.15], np.float32), keys.astype(np.float32)


def sequence() -> tuple[np.ndarray, np.ndarray]:
    """A query and 36 keys of 16 dimensions that drift slowly away from it, read backwards."""
    random = np.random.RandomState(2)
    steps = random.standard_normal((36, 16)) * 0.2
    keys = np.cumsum(steps, axis=0)
    return (keys[-1] + 0.3 * random.standard_normal(16)).astype(np.float32), keys.astype(np.float32)


def weights_of(mechanism: Mechanism, query: np.ndarray, keys: np.ndarray, temperature: float) -> np.ndarray:
    """The weights (n,) of the keys for the newest query."""
    options = {**{o.name: o.default for o in mechanism.parameters}, **OPTIONS.get(mechanism.name, {})}
    order = Order(np.arange(len(keys), dtype=np.float64), np.arange(len(keys)))
    weights = attend(
        mechanism,
        query,
        keys,
        num_heads=1,
        temperature=temperature if mechanism.temperature else None,
        options=options,
        positions=order.at(),
    )
    return weights.score


def draw_plane(axes: Axes, mechanism: Mechanism) -> None:
    """Keys as discs whose area is their weight; grey where it is 0."""
    query, keys = points()
    weights = weights_of(mechanism, query, keys, temperature=0.2)
    none = weights == 0
    axes.scatter(*keys[none].T, s=10, facecolors="none", edgecolors=MUTED, linewidths=0.8)
    shares = np.abs(weights) / np.abs(weights).max()
    colours = np.where(weights < 0, OTHER, COLOUR)
    axes.scatter(*keys[~none].T, s=8 + 170 * shares[~none], c=colours[~none], alpha=0.75, linewidths=0)
    axes.plot(*query, marker="*", markersize=13, color="black", linestyle="none")
    if mechanism.family == "hyperbolic":
        axes.add_patch(plt.Circle((0, 0), 1, fill=False, color=MUTED))
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=[], yticks=[])


def draw_sequence(axes: Axes, mechanism: Mechanism) -> None:
    """A bar for each key, oldest first; the query stands at the right end."""
    query, keys = sequence()
    weights = weights_of(mechanism, query, keys, temperature=1.0)
    axes.bar(np.arange(len(keys)), weights, width=0.8, color=np.where(weights < 0, OTHER, COLOUR))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set(xticks=[0, len(keys) - 1], xticklabels=["oldest", "newest"], yticks=[])


def draw_graph(axes: Axes, mechanism: Mechanism) -> None:
    """The attention of one node to those that its edges lead to; thicker edges weigh more."""
    _, keys = points()
    weighed = any(option.name == EDGE_COLUMN for option in mechanism.parameters)
    edges = star_and_chains(len(keys), weighed)
    options = parse_options(mechanism, OPTIONS.get(mechanism.name, {}))
    weights = np.zeros(len(keys))
    if mechanism.weigh_graph is not None:
        found = mechanism.weigh_graph(GraphProblem(keys, edges, 0, 0.4, options, lambda: None))
        weights[found.node] = found.score
        edges = edges.take(weights[edges.centres] > 0)
    else:
        assert mechanism.edges is not None
        edges = edges.take(edges.centres == 0)
        logits = mechanism.edges(2, 1, 0.4, options)(keys, edges, lambda: None)
        weights[edges.neighbours] = softmax_by_centre(logits, edges.centres)[:, 0]
    weights[0] = 0
    widths = np.ones(len(edges)) if edges.attributes is None else edges.attributes
    for centre, neighbour, width in zip(edges.centres, edges.neighbours, widths, strict=True):
        axes.plot(*keys[[centre, neighbour]].T, color=MUTED, linewidth=0.8 * width, zorder=0)
    shown = np.unique(edges.neighbours)
    areas = 8 + 170 * weights[shown] / weights.max()
    axes.scatter(*keys[shown].T, s=areas, c=COLOUR, alpha=0.75, linewidths=0)
    axes.plot(*keys[0], marker="*", markersize=13, color="black", linestyle="none")
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=[], yticks=[])


def star_and_chains(nodes: int, weighed: bool) -> Edges:
    """Edges from node 0 to every fourth, and from each of these to the three that follow, one by one.

    Where they are weighed every second edge of node 0 weighs three times as much as the others.
    """
    first = np.arange(1, nodes, 4)
    chained = np.setdiff1d(np.arange(1, nodes - 1), first + 3)
    weights = np.concatenate([1.0 + 2 * (np.arange(len(first)) % 2), np.ones(len(chained))])
    ends = np.concatenate([0 * first, chained]), np.concatenate([first, chained + 1])
    return Edges(*ends, weights if weighed else None)


def draw_matrix(axes: Axes, mechanism: Mechanism) -> None:
    """A row for each query, a column for each key."""
    _, keys = points()
    settings = Settings(mechanism, 2, options={"epsilon": 0.1})
    table = weigh_batch(settings, keys[1::6], keys[::3], None, lambda: None).head_scores[0]
    axes.imshow(table, cmap="Blues", vmin=0)
    axes.set(xlabel="keys", ylabel="queries", xticks=[], yticks=[])


def drawing(mechanism: Mechanism) -> Callable[[Axes, Mechanism], None]:
    """How this mechanism is drawn."""
    if mechanism.weigh_batch is not None:
        return draw_matrix
    if "gat_search" in mechanism.operations:
        return draw_graph
    return draw_sequence if mechanism.ordered is not None or mechanism.family == "core" else draw_plane


def draw(family: str) -> None:
    """The picture of one family."""
    members = [mechanism for mechanism in MECHANISMS if mechanism.family == family]
    columns = min(COLUMNS, len(members))
    rows = -(-len(members) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(2.6 * columns, 2.4 * rows), squeeze=False)
    for axes, mechanism in zip(grid.flat, members, strict=False):
        drawing(mechanism)(axes, mechanism)
        axes.set_title(mechanism.name, fontsize=10)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
    for axes in grid.flat[len(members) :]:
        axes.set_axis_off()
    figure.tight_layout()
    figure.savefig(HERE / f"{family}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    for name in dict.fromkeys(mechanism.family for mechanism in MECHANISMS):
        draw(name)
