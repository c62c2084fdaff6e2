"""What a workload is, and how its contenders are timed: interleaved, so that the machine's drift hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """One way to do the work. `run` returns its own milliseconds, or None to be timed from outside.

    size: the number of rows, where the same work is done at several sizes. base: the contender that its ratio
    is to, the workload's last where none is named. goal: of this contender.
    """

    name: str
    run: Callable[[], float | None]
    size: int | None = None
    base: str = ""
    goal: str = ""


@dataclass(frozen=True)
class Figure:
    """Something measured that is not the time of a contender. goal: what it must be, "0" exactly that."""

    name: str
    value: float
    unit: str
    goal: str = ""


@dataclass
class Workload:
    """Work done by several contenders; the ratio of the first to the last is held against `target`.

    `check` raises AssertionError where ours gives a wrong answer: then nothing is timed. `figures`, where
    there are no contenders, measures everything itself, once.
    """

    name: str
    contenders: list[Contender]
    rounds: int = 15
    target: str = ""
    check: Callable[[], None] | None = None
    figures: Callable[[], list[Figure]] | None = None


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one contender."""

    name: str
    median: float
    low: float
    high: float
    size: int | None = None


def measure(workload: Workload, rounds: int | None = None) -> list[Timing]:
    """Median, minimum and maximum of each contender over the rounds, after one round to warm up."""
    if workload.check is not None:
        workload.check()
    samples: dict[tuple[str, int | None], list[float]] = {(c.name, c.size): [] for c in workload.contenders}
    for number in range(-1, rounds or workload.rounds):
        for contender in workload.contenders:
            spent = _time(contender)
            if number >= 0:
                samples[contender.name, contender.size].append(spent)
    return [
        Timing(name, statistics.median(spent), min(spent), max(spent), size)
        for (name, size), spent in samples.items()
    ]


def _time(contender: Contender) -> float:
    start = time.perf_counter()
    own = contender.run()
    return (time.perf_counter() - start) * 1000 if own is None else own
