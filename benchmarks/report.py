"""Outcomes as tables for the eye, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from workload import Outcome, Timing, ratios, speed_ups


def show(console: Console, result: Outcome) -> None:
    """Print one outcome. Ratios are to the contenders' bases, else to the last contender."""
    if result.wrong:
        verdict = "" if result.figures else "; not timed, no ratios"
        console.print(f"[red]{result.workload.name}: {result.wrong}{verdict}[/red]")
    if result.figures:
        _show_figures(console, result)
    elif result.timings and result.timings[0].per_second is not None:
        _show_flow(console, result)
    elif result.timings and result.timings[0].size is not None:
        _show_growth(console, result)
    elif result.timings:
        _show_contenders(console, result)
    for note in result.workload.notes:
        loud = "bold yellow" if note.startswith("NOT MEASURED") else "default"
        console.print(f"[{loud}]{note}[/{loud}]", highlight=False)


def as_json(result: Outcome) -> dict[str, Any]:
    """One outcome, with ratios and speed-ups where its answers were right."""
    timings = [asdict(timing) for timing in result.timings]
    for row, ratio, faster in zip(timings, ratios(result), speed_ups(result), strict=True):
        row |= {"ratio": ratio, "speed_up": faster}
    for row, contender in zip(timings, result.workload.contenders, strict=False):
        row |= {"base": contender.base, "goal": contender.goal, "recall": contender.recall}
    return {
        "title": result.workload.name,
        "target": result.workload.target,
        "rival": result.workload.rival,
        "wrong": result.wrong,
        "notes": result.workload.notes,
        "timings": timings,
        "figures": [asdict(figure) for figure in result.figures],
    }


def _table(title: str, headings: list[str], left: tuple[str, ...] = ("", "goal", "unit")) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table


def _show_contenders(console: Console, result: Outcome) -> None:
    workload = result.workload
    goals = any(contender.goal for contender in workload.contenders)
    recalls = any(contender.recall is not None for contender in workload.contenders)
    table = _table(
        workload.name + (f"  (goal: {workload.target})" if workload.target else ""),
        ["", "median ms", "min", "quartiles", "max", "ratio"]
        + (["speed-up"] if workload.rival else [])
        + (["recall@10"] if recalls else [])
        + (["goal"] if goals else []),
    )
    rows = zip(workload.contenders, result.timings, ratios(result), speed_ups(result), strict=True)
    based = any(contender.base for contender in workload.contenders)
    for contender, timing, ratio, faster in rows:
        row = [timing.name, f"{timing.median:.3f}", f"{timing.low:.3f}"]
        row += ["{:.2f} {:.2f}".format(*timing.quartiles), f"{timing.high:.3f}"]
        row.append("" if ratio is None or (based and not contender.base) else f"{ratio:.2f}")
        if workload.rival:
            row.append("" if faster is None else f"{faster:.2f}")
        if recalls:
            row.append("" if contender.recall is None else f"{contender.recall:.3f}")
        table.add_row(*row, *([contender.goal] if goals else []))
    if workload.rival:
        table.caption = f"speed-up: over {workload.rival}"
    console.print(table)


def power_of_rows(timings: list[Timing]) -> float | None:
    """The power of the rows by which the medians grow; None for one size."""
    sizes = [float(timing.size or 0) for timing in timings]
    if len(set(sizes)) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log([timing.median for timing in timings]), 1)[0])


def _show_growth(console: Console, result: Outcome) -> None:
    table = _table(result.workload.name, ["", "rows", "median ms", "power of rows"])
    for name in dict.fromkeys(timing.name for timing in result.timings):
        own = [timing for timing in result.timings if timing.name == name]
        power = power_of_rows(own)
        rows = " ".join(f"{(timing.size or 0) / 1000:g}k" for timing in own)
        medians = " ".join(f"{timing.median:.1f}" for timing in own)
        table.add_row(name, rows, medians, "" if power is None else f"{power:.2f}")
    console.print(table)


def _show_flow(console: Console, result: Outcome) -> None:
    table = _table(result.workload.name, ["", "rows", "connections", "median ms", "min", "max", "a second"])
    for timing in result.timings:
        spent = [f"{value:.2f}" for value in (timing.median, timing.low, timing.high)]
        rate = "" if timing.per_second is None else f"{timing.per_second:.1f}"
        table.add_row(timing.name, f"{timing.size:,}", str(timing.connections), *spent, rate)
    console.print(table)


def _show_figures(console: Console, result: Outcome) -> None:
    table = _table(result.workload.name, ["", "figure", "unit", "goal"])
    for figure in result.figures:
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.goal)
    console.print(table)
