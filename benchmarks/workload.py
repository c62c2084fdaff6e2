"""What a workload is, and how its contenders are timed: interleaved, so that the machine's drift hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

OURS, PEER, LIMIT = "ours", "peer", "limit"
# threads of the contender before may spin for some milliseconds before they sleep
PAUSE = 0.03


@dataclass(frozen=True)
class Contender:
    """One way to do the work. `run` returns its own milliseconds, or None to be timed from outside.

    size: the number of rows, where the same work is done at several sizes. base: the contender that its ratio
    is to, the workload's last where none is named. goal: of this contender. kind: OURS, PEER or LIMIT.
    recall: the share of the best k that it finds.
    """

    name: str
    run: Callable[[], float | None]
    size: int | None = None
    base: str = ""
    goal: str = ""
    kind: str = PEER
    recall: float | None = None


@dataclass(frozen=True)
class Figure:
    """Something measured that is not the time of a contender. goal: what it must be, "0" exactly that."""

    name: str
    value: float
    unit: str
    goal: str = ""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one contender: median, extremes and quartiles.

    per_second: what so many connections at once got done, where that was measured.
    """

    name: str
    median: float
    low: float
    high: float
    size: int | None = None
    quartiles: tuple[float, float] = (0.0, 0.0)
    kind: str = PEER
    connections: int = 1
    per_second: float | None = None

    @staticmethod
    def of(name: str, spent: list[float], size: int | None = None, kind: str = PEER) -> Timing:
        """Of the milliseconds of all rounds."""
        first, third = (float(value) for value in np.percentile(spent, (25, 75)))
        return Timing(name, statistics.median(spent), min(spent), max(spent), size, (first, third), kind)


@dataclass
class Workload:
    """Work done by several contenders; the ratio of the first to the last is held against `target`.

    `check` raises AssertionError where ours gives a wrong answer: then nothing is timed. `figures` and
    `timings`, where there are no contenders, measure everything themselves, once. rival: the contender over
    which speed-ups are shown. repeat: run each contender once untimed right before each timed run, so that
    what the one before it left in the processor's caches is no part of its time. notes: what a reader must
    know, above all which peers are missing.
    """

    name: str
    contenders: list[Contender]
    rounds: int = 15
    target: str = ""
    check: Callable[[], None] | None = None
    figures: Callable[[], list[Figure]] | None = None
    timings: Callable[[], list[Timing]] | None = None
    rival: str = ""
    repeat: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What came of a workload. wrong: why its answers are not to be trusted; then there are no timings."""

    workload: Workload
    timings: list[Timing] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    wrong: str = ""


def outcome(workload: Workload, rounds: int | None = None) -> Outcome:
    """Check the answers, and measure if they are right."""
    if workload.figures is not None:
        figures = workload.figures()
        wrong = [figure.name for figure in figures if figure.goal == "0" and figure.value]
        return Outcome(workload, figures=figures, wrong=", ".join(wrong))
    try:
        return Outcome(workload, measure(workload, rounds))
    except AssertionError as failure:
        return Outcome(workload, wrong=str(failure) or "the check failed")


def measure(workload: Workload, rounds: int | None = None) -> list[Timing]:
    """The timing of each contender over the rounds, after one round to warm up."""
    if workload.check is not None:
        workload.check()
    if workload.timings is not None:
        return workload.timings()
    samples: list[list[float]] = [[] for _ in workload.contenders]
    for number in range(-1, rounds or workload.rounds):
        for contender, spent in zip(workload.contenders, samples, strict=True):
            milliseconds = _time(contender, workload.repeat)
            if number >= 0:
                spent.append(milliseconds)
    return [
        Timing.of(contender.name, spent, contender.size, contender.kind)
        for contender, spent in zip(workload.contenders, samples, strict=True)
    ]


def ratios(result: Outcome) -> list[float | None]:
    """The median of each contender in terms of its base's; none is given while the check is red."""
    if result.wrong or not result.workload.contenders:
        return [None] * len(result.timings)
    medians = {timing.name: timing.median for timing in result.timings}
    last = result.timings[-1].name
    bases = [contender.base or last for contender in result.workload.contenders]
    return [timing.median / medians[base] for timing, base in zip(result.timings, bases, strict=True)]


def speed_ups(result: Outcome) -> list[float | None]:
    """How many times faster than the workload's rival each contender is; none while the check is red."""
    medians = {timing.name: timing.median for timing in result.timings}
    rival = None if result.wrong else medians.get(result.workload.rival)
    return [None if rival is None else rival / timing.median for timing in result.timings]


def _time(contender: Contender, repeat: bool) -> float:
    time.sleep(PAUSE)
    if repeat:
        contender.run()
    start = time.perf_counter()
    own = contender.run()
    return (time.perf_counter() - start) * 1000 if own is None else own
