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
from rich.console import Console
from rich.table import Table
from workload import Timing, Workload, measure
from workloads import WORKLOADS


def show(console: Console, workload: Workload, timings: list[Timing]) -> None:
    """One workload's table; ratios are to its last contender."""
    table = Table(title=workload.name + (f"  (goal: {workload.target})" if workload.target else ""))
    for heading in ("", "median ms", "min", "max", "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    last = timings[-1].median
    for timing in timings:
        figures = (timing.median, timing.low, timing.high)
        table.add_row(timing.name, *(f"{figure:.3f}" for figure in figures), f"{timing.median / last:.2f}")
    console.print(table)


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
            try:
                timings = measure(workload, arguments.rounds)
            except AssertionError as failure:
                console.print(f"[red]{workload.name}: {failure}; not timed[/red]")
                wrong = True
                continue
            show(console, workload, timings)
            results[name] = [asdict(timing) for timing in timings]
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "workloads": results}, indent=2) + "\n")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
