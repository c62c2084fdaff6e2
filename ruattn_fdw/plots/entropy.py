"""How spread the weights of each mechanism are over the rows, for one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from psycopg import sql

from ruattn_fdw.asking import Connection, Search, conditions
from ruattn_fdw.kernels.arrays import F64
from ruattn_fdw.plots import canvas
from ruattn_fdw.server.errors import ServerError

WIDTH, ROW = 8.6, 0.32
"""Inches: the page, a mechanism."""

HEADS = """
SELECT count(*), -sum(weight * ln(weight::float8)) FILTER (WHERE weight > 0::real)
FROM   mha_search s CROSS JOIN LATERAL pg_catalog.unnest(s.head_scores) WITH ORDINALITY AS heads(weight, head)
WHERE  {}
GROUP  BY head ORDER BY head
"""


@dataclass(frozen=True)
class Spread:
    """A mechanism's entropy in each head, in nats (H), over so many rows."""

    mechanism: str
    entropy: F64
    rows: int


def read(connection: Connection, search: Search) -> Spread:
    """The entropy of one mechanism's weights over all rows."""
    statement = sql.SQL(HEADS).format(conditions(search.table, search.values))
    found = connection.execute(statement, search.values).fetchall()
    if not found:
        raise ServerError("mha_search found no row")
    return Spread(search.values["attention_type"], np.array([h or 0 for _, h in found], float), found[0][0])


def draw(spreads: list[Spread], asked: str) -> Figure:
    """A line for each mechanism, from the sharpest to the flattest: a dot is a head, the bar their mean."""
    ordered = sorted(spreads, key=lambda spread: -float(spread.entropy.mean()))
    height = ROW * len(ordered) + 1.1
    figure, body = canvas.page(WIDTH, height, "How spread the attention is: entropy of the weights", asked)
    axes = body.subplots()
    rows = max(spread.rows for spread in ordered)
    # one row alone has no entropy, and a scale of its own
    most = float(np.log(max(rows, 2)))
    for place, spread in enumerate(ordered):
        _line(axes, place, spread, most)
    top: dict[str, Any] = {"y": len(ordered) - 0.3, "ha": "right", "fontsize": 8}
    if rows > 1:
        axes.axvline(most, color=canvas.RED, linewidth=1, linestyle="--")
        axes.text(most, s=f"ln {rows:,}: all rows alike ", color=canvas.RED, **top)
    axes.text(1.1 * most, s="H", color=canvas.MUTED, **top)
    axes.text(1.27 * most, s="rows, e$^H$", color=canvas.MUTED, **top)
    axes.set_yticks(range(len(ordered)), [spread.mechanism for spread in ordered])
    axes.set(xlim=(0, 1.3 * most), ylim=(-0.7, len(ordered)))
    axes.set_xlabel("entropy H in nats: the mean of the heads (bar), a head (dot)", fontsize=8, x=0.5 / 1.3)
    canvas.bare(axes, "bottom")
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= most])
    axes.spines["bottom"].set_bounds(0, most)
    return figure


def _line(axes: Axes, place: int, spread: Spread, most: float) -> None:
    mean = float(spread.entropy.mean())
    axes.barh(place, mean, height=0.55, color=canvas.BLUE, alpha=0.55)
    if len(spread.entropy) > 1:
        heads = np.full(len(spread.entropy), place)
        axes.plot(spread.entropy, heads, "o", markersize=3, color=canvas.INK, clip_on=False)
    alike = np.exp(mean)
    for text, column in ((f"{mean:.2f}", 1.1), (f"{alike:,.0f}" if alike >= 100 else f"{alike:.1f}", 1.27)):
        axes.text(column * most, place, text, ha="right", va="center", fontsize=8, color=canvas.INK)
