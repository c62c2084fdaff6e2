"""The best rows of several mechanisms side by side, with lines where a row is in one list and the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots import canvas
from ruattn_fdw.plots.wording import settings

LIST, SCORE, GAP, ROW = 2.8, 0.68, 0.55, 0.3
"""Inches: the width of a list, of its scores, and of what lies between two lists; the height of a row."""
LINES = "viridis"
"""Colours of the first list's rows, the best one darkest; a row that is not in it is grey."""


@dataclass(frozen=True)
class Ranking:
    """The best rows of one mechanism: (id, label, score), and what was in effect, in words."""

    mechanism: str
    rows: list[tuple[int, str, float]]
    settings: str

    @property
    def ids(self) -> list[int]:
        """Ids, the best first."""
        return [row_id for row_id, _, _ in self.rows]


def read(connection: Connection, search: Search) -> Ranking:
    """Ask one mechanism for its best rows."""
    rows = search.rows(connection, ("id", "score", "attention_type", "num_heads", "temperature"))
    return Ranking(
        rows[0]["attention_type"],
        [(row["id"], row["label"], row["score"]) for row in rows],
        settings(rows[0]).partition(", ")[2],
    )


def draw(rankings: list[Ranking], asked: str) -> Figure:
    """A list for each mechanism in the order given; the bars are scores, each list to its own scale."""
    count = max(len(ranking.rows) for ranking in rankings)
    width = LIST * len(rankings) + GAP * (len(rankings) - 1)
    figure, body = canvas.page(width + 0.3, ROW * (count + 2), "The best rows by mechanism", asked)
    axes = body.subplots()
    shades = mpl.colormaps[LINES]
    colours = {row_id: shades(0.9 * place / count) for place, row_id in enumerate(rankings[0].ids)}
    for place, ranking in enumerate(rankings):
        left = place * (LIST + GAP)
        _list(axes, left, ranking, colours)
        _head(axes, left, ranking, rankings[0])
        if place:
            _lines(axes, left, rankings[place - 1], ranking, colours)
    axes.set(xlim=(-0.05, width + 0.05), ylim=(-count - 0.1, 1.7))
    axes.set_axis_off()
    return figure


def _head(axes: Axes, left: float, ranking: Ranking, first: Ranking) -> None:
    shared = len(set(ranking.ids) & set(first.ids))
    words = "" if ranking is first else f"; {shared} of {len(ranking.ids)} as in {first.mechanism}"
    axes.text(left, 0.95, ranking.mechanism, fontsize=10, weight="bold", color=canvas.INK)
    axes.text(left, 0.35, ranking.settings + words, fontsize=7, color=canvas.MUTED)


def _list(axes: Axes, left: float, ranking: Ranking, colours: dict[int, canvas.Colour]) -> None:
    most = max((abs(score) for _, _, score in ranking.rows), default=0) or 1
    for place, (row_id, label, score) in enumerate(ranking.rows):
        share = (LIST - SCORE) * abs(score) / most
        axes.add_patch(
            Rectangle((left, -place - 0.86), share, 0.72, color=canvas.FAINT, alpha=0.6, linewidth=0)
        )
        colour = colours.get(row_id, canvas.FAINT)
        axes.add_patch(Rectangle((left, -place - 0.86), 0.06, 0.72, color=colour, linewidth=0))
        look: dict[str, Any] = {
            "va": "center_baseline",
            "fontsize": 8,
            "color": canvas.INK,
            "parse_math": False,
        }
        axes.text(left + 0.12, -place - 0.5, canvas.short(label, LIST - SCORE - 0.16), **look)
        axes.text(left + LIST - 0.04, -place - 0.5, canvas.number(score), ha="right", **look)


def _lines(
    axes: Axes, left: float, before: Ranking, after: Ranking, colours: dict[int, canvas.Colour]
) -> None:
    """From the end of a row in the list before to its beginning here."""
    places = {row_id: place for place, row_id in enumerate(after.ids)}
    for place, row_id in enumerate(before.ids):
        if row_id in places:
            ends = (-place - 0.5, -places[row_id] - 0.5)
            axes.plot(
                (left - GAP + 0.03, left - 0.03), ends, color=colours.get(row_id, canvas.FAINT), linewidth=1.8
            )
