"""Run the benchmarks: `make bench`, or `make bench ONLY="overhead search"`.

Peers and we in one run on a throw-away server, interleaved; medians with minimum, maximum and quartiles in
milliseconds. A workload whose answer is wrong is not timed, no ratio of it is given, and the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# OpenBLAS would else keep the threads of a product spinning for 0.1 s, on cores that the next contender needs
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

import bench_server
import machine
import report
from rich.console import Console
from workload import outcome
from workloads import WORKLOADS

WIDTH = 150


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    made.add_argument(
        "only", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    made.add_argument("--rounds", type=int, help="how often each contender runs")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    made.add_argument("--picture", type=Path, metavar="FILE", help="draw them: .png or .svg")
    return made


def main() -> int:
    """Run the wanted workloads; 1 if one of them gave a wrong answer."""
    arguments = parser().parse_args()
    unknown = set(arguments.only) - set(WORKLOADS)
    if unknown:
        parser().error(f"unknown workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    if arguments.picture:
        if arguments.picture.suffix not in (".png", ".svg"):
            parser().error(f"a picture is .png or .svg, not {arguments.picture.name}")
        import picture  # a run without pictures needs no matplotlib

    console, results = Console(), {}
    console.width = max(console.width, WIDTH)  # a pipe's 80 columns would cut names
    with bench_server.server() as running:
        about = machine.describe(str(running.installation))
        console.print("\n".join(about), highlight=False)
        for name in arguments.only or WORKLOADS:
            results[name] = outcome(WORKLOADS[name](running), arguments.rounds)
            report.show(console, results[name])
    if arguments.json:
        shown = {name: report.as_json(result) for name, result in results.items()}
        arguments.json.write_text(json.dumps({"machine": about, "workloads": shown}, indent=2) + "\n")
    if arguments.picture:
        picture.draw(list(results.values()), about, arguments.picture)
    return int(any(result.wrong for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
