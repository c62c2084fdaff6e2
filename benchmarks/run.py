"""Run the benchmarks: `make bench`, or `make bench ONLY="overhead search"`.

Peers and we in one run on a throw-away server, interleaved; medians with minimum and maximum in milliseconds.
A workload whose answer is wrong is not timed, and the run fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import bench_server
import machine
import numpy as np
from rich.console import Console
from rich.table import Table
from workload import Figure, Timing, Workload, measure
from workloads import WORKLOADS


def show(console: Console, workload: Workload, timings: list[Timing]) -> None:
    """One workload's table; ratios are to the contenders' bases, else to the last contender."""
    table = Table(title=workload.name + (f"  (goal: {workload.target})" if workload.target else ""))
    goals = any(contender.goal for contender in workload.contenders)
    for heading in ("", "median ms", "min", "max", "ratio", *(["goal"] if goals else [])):
        table.add_column(heading, justify="left" if heading in ("", "goal") else "right")
    medians = {timing.name: timing.median for timing in timings}
    for contender, timing in zip(workload.contenders, timings, strict=True):
        figures = (timing.median, timing.low, timing.high)
        ratio = timing.median / medians[contender.base or timings[-1].name]
        shown = [f"{figure:.3f}" for figure in figures] + [
            "" if goals and not contender.base else f"{ratio:.2f}"
        ]
        table.add_row(timing.name, *shown, *([contender.goal] if goals else []))
    console.print(table)


def show_growth(console: Console, workload: Workload, timings: list[Timing]) -> None:
    """One line for each contender: its median at each size, and the power of the rows by which it grows."""
    table = Table(title=workload.name)
    for heading in ("", "rows", "median ms", "power of rows"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in dict.fromkeys(timing.name for timing in timings):
        own = [timing for timing in timings if timing.name == name]
        sizes, medians = [float(t.size or 0) for t in own], [t.median for t in own]
        power = np.polyfit(np.log(sizes), np.log(medians), 1)[0]
        rows = " ".join(f"{size / 1000:g}k" for size in sizes)
        table.add_row(name, rows, " ".join(f"{median:.1f}" for median in medians), f"{power:.2f}")
    console.print(table)


def show_figures(console: Console, workload: Workload, figures: list[Figure]) -> bool:
    """One line for each; whether one that must be 0 is not."""
    table = Table(title=workload.name)
    for heading in ("", "figure", "unit", "goal"):
        table.add_column(heading, justify="right" if heading == "figure" else "left")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.goal)
    console.print(table)
    return any(figure.goal == "0" and figure.value for figure in figures)


def main() -> int:
    """Run the wanted workloads; 1 if one of them gave a wrong answer."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument(
        "only", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    unknown = set(arguments.only) - set(WORKLOADS)
    if unknown:
        parser.error(f"unknown workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")

    console, results, wrong = Console(), {}, False
    with bench_server.server() as running:
        about = machine.describe(str(running.installation))
        console.print("\n".join(about), highlight=False)
        for name in arguments.only or WORKLOADS:
            workload = WORKLOADS[name](running)
            if workload.figures is not None:
                figures = workload.figures()
                wrong |= show_figures(console, workload, figures)
                results[name] = [asdict(figure) for figure in figures]
                continue
            try:
                timings = measure(workload, arguments.rounds)
            except AssertionError as failure:
                console.print(f"[red]{workload.name}: {failure}; not timed[/red]")
                wrong = True
                continue
            (show if timings[0].size is None else show_growth)(console, workload, timings)
            results[name] = [asdict(timing) for timing in timings]
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "workloads": results}, indent=2) + "\n")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
