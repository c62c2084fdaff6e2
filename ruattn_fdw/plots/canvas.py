"""What the pictures share: colours that all eyes tell apart, a page with a title, and the file."""

from __future__ import annotations

import math
import textwrap
from bisect import bisect_left
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from ruattn_fdw.plots import fonts

BLUE, RED, INK, MUTED, FAINT = "#31688e", "#b5452c", "#222222", "#6b6f73", "#c8ccd0"
SHADES, SIGNED_SHADES = "Blues", "RdBu"
"""Colour maps of weights, and of weights with a sign."""

Colour = tuple[float, float, float, float]

DPI = 140
MOST_LETTERS = 100
HEAD, MARGIN = 0.66, 0.12
"""Inches: what title and subtitle take, and how far they are from the left."""


def page(width: float, height: float, title: str, subtitle: str) -> tuple[Figure, SubFigure]:
    """A page with a body of that size in inches under its title; the body is to be drawn on."""
    lines = textwrap.wrap(subtitle, int(width * 14))
    head = HEAD + 0.17 * (len(lines) - 1)
    figure = Figure(figsize=(width, height + head), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[head, height])
    top, body = halves
    look: dict[str, Any] = {"va": "top", "parse_math": False}
    top.text(MARGIN / width, 1 - 0.14 / head, title, fontsize=12, weight="bold", color=INK, **look)
    top.text(MARGIN / width, 1 - 0.39 / head, "\n".join(lines), fontsize=9, color=MUTED, **look)
    return figure, body


def save(figure: Figure, file: Path) -> str:
    """Write the picture, the same bytes for the same picture; what comes back are letters drawn as boxes.

    In an SVG text stays text: it can be found and read aloud, and whoever shows it has the fonts.
    """
    fixed = {"Date": None} if file.suffix == ".svg" else {"Software": None}
    without = fonts.use_installed(figure)
    with mpl.rc_context({"svg.hashsalt": "ruattn", "svg.fonttype": "none"}), fonts.missing_allowed():
        figure.savefig(file, format=file.suffix[1:], dpi=DPI, metadata=fixed)
    return "" if file.suffix == ".svg" else without


def bare(axes: Axes, *kept: str) -> None:
    """Take the frame away, but for the sides that are kept."""
    for side in set(axes.spines) - set(kept):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=8)


def short(text: str, inches: float, size: float = 8) -> str:
    """A label on one line, cut where it is wider than so many inches in type of that size."""
    whole = " ".join(text.split())
    font = FontProperties(family=fonts.families(whole[:MOST_LETTERS]), size=size)

    def wide(line: str) -> bool:
        with fonts.missing_allowed():
            return text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] > 72 * inches

    def cut(end: int) -> str:
        return whole[:end].rstrip(" ,;") + "\N{HORIZONTAL ELLIPSIS}"

    if len(whole) <= MOST_LETTERS and not wide(whole):
        return whole
    # the longest beginning that fits, once it is cut
    return cut(max(0, bisect_left(range(MOST_LETTERS), True, key=lambda end: wide(cut(end))) - 1))


def number(value: float) -> str:
    """Three digits, as a share of 1 reads best: 0.0120, or 1.2e-05."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 1e-4 else f"{value:.1e}"


def shade(shades: ScalarMappable, value: float) -> Colour:
    """The colour of a value."""
    red, green, blue, alpha = shades.to_rgba(np.array(value))
    return red, green, blue, alpha


def ink_on(colour: Colour) -> str:
    """Black or white, whichever reads better on that colour."""
    return INK if np.dot(colour[:3], (0.3, 0.59, 0.11)) > 0.55 else "white"
