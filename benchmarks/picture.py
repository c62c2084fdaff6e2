"""Outcomes as one picture, a panel for each workload, on logarithmic axes.

Contenders are points at their medians with quartiles (thick) and extremes (thin); limits are dashed lines.
Where a work was done at several sizes or by several connections at once, lines show how it grows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from report import power_of_rows
from workload import LIMIT, OURS, PEER, Outcome, Timing

COLOURS = {OURS: "#b5452c", LIMIT: "#222222"}
PEER_COLOUR = "#31688e"
SERIES = ("#e8956d", "#b5452c", "#8a8f94", "#222222", "#7fb0cf", "#31688e", "#b9a3c9", "#6a4c93")
SIZES = ("#7fb0cf", "#31688e", "#4f9d69", "#b5452c", "#6a4c93")
WIDTH, ROW, MARGIN, GROWTH = 10.0, 0.27, 1.1, 5.6


def draw(results: list[Outcome], about: list[str], file: Path) -> None:
    """Write the picture of what was timed, with the machine and the versions below; PNG or SVG."""
    drawn = [result for result in results if result.timings]
    heights = [_height(result) for result in drawn] or [1.0]
    notes = [note for result in drawn for note in result.workload.notes]
    caption = [line for text in (*about, *notes) for line in textwrap.wrap(text, 150)]
    foot = 0.14 * len(caption) + 0.15
    canvas = plt.figure(figsize=(WIDTH, sum(heights) + foot), layout="constrained")
    body, footer = canvas.subfigures(2, 1, height_ratios=[sum(heights), foot])
    for part, result in zip(_parts(body, heights), drawn, strict=False):
        _panel(result)(part, result)
    footer.text(0.01, 0.95, "\n".join(caption), fontsize=7, color="#555555", va="top")
    fixed = {"Date": None} if file.suffix == ".svg" else {"Software": None}
    canvas.savefig(file, dpi=130, metadata=fixed)
    plt.close(canvas)


def _parts(body: object, heights: list[float]) -> list[Canvas]:
    made = body.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)  # type: ignore[attr-defined]
    return list(made.flat)


def _height(result: Outcome) -> float:
    rows = len(result.timings)
    return ROW * rows + MARGIN if _panel(result) is _contenders else GROWTH


def _panel(result: Outcome) -> Callable[[Canvas, Outcome], None]:
    first = result.timings[0]
    if first.per_second is not None:
        return _flow
    return _contenders if first.size is None else _growth


def _contenders(part: Canvas, result: Outcome) -> None:
    axes = part.subplots()
    timings = sorted(result.timings, key=lambda timing: -timing.median)
    for place, timing in enumerate(timings):
        colour = COLOURS.get(timing.kind, PEER_COLOUR)
        axes.plot((timing.low, timing.high), (place, place), color=colour, linewidth=1)
        axes.plot(timing.quartiles, (place, place), color=colour, linewidth=4, alpha=0.5)
        axes.plot(timing.median, place, "o", color=colour, markersize=6)
        axes.annotate(
            _three_digits(timing.median),
            (timing.high, place),
            (5, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
        )
        if timing.kind == LIMIT:
            axes.axvline(timing.median, color=colour, linewidth=1, linestyle="--", alpha=0.5, zorder=0)
    recalls = {contender.name: contender.recall for contender in result.workload.contenders}
    labels = [_label(timing.name, recalls.get(timing.name)) for timing in timings]
    axes.set_yticks(range(len(timings)), labels, fontsize=8)
    for label, timing in zip(axes.get_yticklabels(), timings, strict=True):
        label.set_color(COLOURS.get(timing.kind, "#333333"))
    low, high = min(timing.low for timing in timings), max(timing.high for timing in timings)
    axes.set_xlim(low / 1.3, high * 1.8)
    axes.set_ylim(-0.7, len(timings) - 0.3)
    _logarithmic(axes, "x")
    _legend(axes, {timing.kind for timing in timings})
    axes.set_xlabel("milliseconds: median, quartiles (thick), extremes (thin)", fontsize=8)
    axes.set_title(result.workload.name, fontsize=10, loc="left")


def _label(name: str, recall: float | None) -> str:
    return name if recall is None or recall == 1 else f"{name}, recall {recall:.3f}"


def _legend(axes: Axes, kinds: set[str]) -> None:
    """Whose points are whose, in the corner that sorted points leave empty."""
    names = {OURS: "ours", PEER: "peers", LIMIT: "limit"}
    if OURS in kinds:
        for kind, name in names.items():
            if kind in kinds:
                style = "--o" if kind == LIMIT else "o"
                axes.plot([], [], style, color=COLOURS.get(kind, PEER_COLOUR), label=name)
        axes.legend(loc="lower left", fontsize=8, frameon=False)


def _growth(part: Canvas, result: Outcome) -> None:
    axes = part.subplots()
    _by_rows(axes, result.timings)
    if len({timing.name for timing in result.timings}) <= len(SERIES):
        axes.legend(fontsize=7, frameon=False)
    axes.set_title(result.workload.name, fontsize=10, loc="left")


def _by_rows(axes: Axes, timings: list[Timing]) -> None:
    """A line for each name; a diamond where there is but one size, which the line of others may pass by."""
    names = list(dict.fromkeys(timing.name for timing in timings))
    few = len(names) <= len(SERIES)
    for name, colour in zip(names, SERIES if few else [PEER_COLOUR] * len(names), strict=False):
        own = sorted((t for t in timings if t.name == name), key=lambda t: t.size or 0)
        sizes, medians = [t.size or 0 for t in own], [t.median for t in own]
        power = power_of_rows(own)
        label = name if power is None else f"{name}: rows$^{{{power:.2f}}}$"
        style = ("--" if own[0].kind == LIMIT else "-") + ("o" if len(own) > 1 else "D")
        axes.plot(sizes, medians, style, markersize=4, linewidth=1.4, color=colour, label=label)
        axes.vlines(sizes, [t.low for t in own], [t.high for t in own], color=colour, linewidth=1, alpha=0.5)
    _logarithmic(axes, "x", (1,))
    _logarithmic(axes, "y")
    axes.set_xlabel("rows", fontsize=8)
    axes.set_ylabel("milliseconds: median, extremes (thin)", fontsize=8)


def _flow(part: Canvas, result: Outcome) -> None:
    """How one query grows with rows, and what more connections do to the rate and to the wait."""
    panels, legends = part.subfigures(2, 1, height_ratios=(4, 1.3))
    rows, rate, wait = panels.subplots(1, 3, width_ratios=(1.2, 1, 1))
    panels.suptitle(result.workload.name, fontsize=10, x=0.01, ha="left")
    _by_rows(rows, [timing for timing in result.timings if timing.connections == 1])
    lines: dict[tuple[str, int], list[Timing]] = {}
    for timing in result.timings:
        if timing.kind == OURS:
            lines.setdefault((timing.name, timing.size or 0), []).append(timing)
    sizes = list(dict.fromkeys(size for _, size in lines))
    for (name, size), own in lines.items():
        colour = SIZES[sizes.index(size) % len(SIZES)]
        look = {"color": colour, "linewidth": 1.4, "markersize": 4, "label": _line_name(name, size)}
        style = "-o" if "2 threads" in name else ":o"
        at = [timing.connections for timing in own]
        rate.plot(at, [timing.per_second or 0 for timing in own], style, **look)
        wait.plot(at, [timing.median for timing in own], style, **look)
    for axes, label in ((rate, "queries a second, all connections"), (wait, "milliseconds, median")):
        _logarithmic(axes, "x")
        _logarithmic(axes, "y")
        at = sorted({timing.connections for timing in result.timings})
        axes.set_xticks(at, [str(count) for count in at])
        axes.set_xlabel("connections", fontsize=8)
        axes.set_ylabel(label, fontsize=8)
    for axes, left, columns in ((rows, 0.02, 1), (rate, 0.42, 2)):
        place = {"loc": "upper left", "bbox_to_anchor": (left, 1), "ncols": columns}
        legends.legend(*axes.get_legend_handles_labels(), fontsize=7, frameon=False, **place)


def _line_name(name: str, size: int) -> str:
    """The rows, and what the name says after that of the operation."""
    return f"{size / 1000:,.0f}k rows, {', '.join(name.split(', ')[1:])}"


def _logarithmic(axes: Axes, which: str, labelled: tuple[int, ...] = (1, 2, 5)) -> None:
    axes.set_xscale("log") if which == "x" else axes.set_yscale("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=labelled if high / low < 1e5 else (1,)))
    axis.set_major_formatter(FuncFormatter(_short))
    axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, axis=which, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: float, _: int) -> str:
    """A number as on an axis: 0.1, 20, 3k, 1M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
