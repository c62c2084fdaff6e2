"""The weights of the best rows in each head, as a heat map with the score beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.kernels.arrays import F64
from ruattn_fdw.plots import canvas
from ruattn_fdw.plots.wording import asked, settings

ROW, CELL, LABELS, SCORES = 0.27, 0.52, 3.4, 1.5
"""Inches: height of a row, width of a head's column, of the labels and of the scores."""

MANY, NARROW = 16, 0.2
"""More heads than that are columns of that width, without numbers."""

FEWEST = 4
"""The key to the colours is as high as so many rows at least."""

COLUMNS = ("id", "score", "head_scores", "attention_type", "num_heads", "temperature")


@dataclass(frozen=True)
class Heads:
    """The best rows: labels (n), scores (n,), weights by head (n, H), and what was asked."""

    labels: list[str]
    scores: F64
    weights: F64
    asked: str


def read(connection: Connection, search: Search) -> Heads:
    """Ask the search for the rows and their weights."""
    rows = search.rows(connection, COLUMNS)
    return Heads(
        [row["label"] for row in rows],
        np.array([row["score"] for row in rows], float),
        np.array([row["head_scores"] for row in rows], float),
        f"{settings(rows[0])}. {asked(connection, search)}.",
    )


def draw(heads: Heads) -> Figure:
    """Rows from the best down, a column for each head."""
    count, width = heads.weights.shape
    map_width = max(1.5, width * (CELL if width <= MANY else NARROW))
    page_width = LABELS + map_width + SCORES + 1
    height = ROW * max(count, FEWEST) + 0.9
    figure, body = canvas.page(page_width, height, "Attention weight in each head", heads.asked)
    grid, scores = body.subplots(1, 2, width_ratios=[map_width, SCORES], sharey=True)
    image = _heat_map(grid, heads)
    bar = body.colorbar(image, ax=[grid, scores], fraction=0.05, aspect=25, pad=0.02)
    bar.set_label("weight", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    _scores(scores, heads.scores)
    return figure


def _heat_map(axes: Axes, heads: Heads) -> AxesImage:
    count, width = heads.weights.shape
    most = float(np.abs(heads.weights).max()) or 1.0
    # by the square root: the query's own row, where it is a key, would leave the others white
    scale: Normalize = PowerNorm(0.5, 0, most)
    shades = canvas.SHADES
    if (heads.weights < 0).any():
        scale, shades = Normalize(-most, most), canvas.SIGNED_SHADES
    image = axes.imshow(heads.weights, cmap=shades, norm=scale, aspect="auto")
    axes.set_yticks(range(count), [canvas.short(label, 2.4) for label in heads.labels], parse_math=False)
    named = range(0, width, 1 if width < 100 else 10)
    axes.set_xticks(named, [str(head + 1) for head in named])
    axes.set_xlabel("head", fontsize=8)
    canvas.bare(axes)
    for (row, head), weight in np.ndenumerate(heads.weights if width <= MANY else heads.weights[:, :0]):
        colour = canvas.ink_on(canvas.shade(image, weight))
        axes.text(head, row, canvas.number(weight), ha="center", va="center", fontsize=6.5, color=colour)
    return image


def _scores(axes: Axes, scores: F64) -> None:
    places = np.arange(len(scores))
    axes.barh(places, scores, height=0.62, color=np.where(scores < 0, canvas.RED, canvas.BLUE))
    for place, score in zip(places, scores, strict=True):
        axes.annotate(
            canvas.number(score),
            (max(score, 0), place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.set_xlim(min(0, scores.min()) * 1.1, (scores.max() or 1) * 1.5)
    axes.set_xlabel("score, the mean of the heads", fontsize=8)
    axes.tick_params(labelleft=False)
    canvas.bare(axes)
    axes.set_xticks([])
