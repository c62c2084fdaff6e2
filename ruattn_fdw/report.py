"""What a scan did, for EXPLAIN (ANALYZE)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Damageable(Protocol):
    """A file that may be cut short while it is in use."""

    @property
    def damaged(self) -> bool:
        """Whether it was."""


class Scored(NamedTuple):
    """What one scan scores: how many rows of which relation, 0 for none, by which mechanism, "" for none."""

    attention_type: str
    relation: int
    rows: int


class _Phase:
    """What time goes to for a while. A class: a generator's context costs several times as much."""

    __slots__ = ("_outer", "_phase", "_report")

    def __init__(self, report: Report, phase: str) -> None:
        self._report, self._phase = report, phase
        self._outer: str | None = None

    def __enter__(self) -> None:
        self._outer = self._report.turn_to(self._phase)

    def __exit__(self, *error: object) -> None:
        self._report.turn_to(self._outer)


class Report:
    """Counts and times of a table's scans, added up over the rescans of one executor node."""

    def __init__(self) -> None:
        self.rows_read = 0
        self.nulls_skipped = 0
        self.skipped_label = "NULL Vectors Skipped"
        self._further: dict[str, int] = {}
        self._notes: dict[str, object] = {}
        self.milliseconds = {"check": 0.0, "read": 0.0, "kernel": 0.0, "emit": 0.0}
        self._phase: str | None = None
        self._since = 0.0
        self._cache: dict[str, str] = {}
        self._copies: dict[str, Damageable] = {}
        self._scored: Scored | None = None
        self._missed = False
        self._lap = (0.0, 0.0, 0.0, 0.0)

    def count(self, label: str, number: int) -> None:
        """Add to a figure that only some tables have."""
        self._further[label] = self._further.get(label, 0) + number

    def scored(self, attention_type: str, relation: int, rows: int) -> None:
        """Keep what this scan scores."""
        self._scored = Scored(attention_type, relation, rows)

    def note(self, notes: Mapping[str, object]) -> None:
        """Keep what the last scan's mechanism tells of its answer, by label."""
        self._notes.update(notes)

    def timing(self, phase: str) -> _Phase:
        """Add the time spent inside to one of the phases, and to no other that it is part of."""
        return _Phase(self, phase)

    def turn_to(self, phase: str | None) -> str | None:
        """End the phase that the time goes to by now, which is returned, and begin another."""
        now, outer = time.perf_counter(), self._phase
        if outer is not None:
            self.milliseconds[outer] += (now - self._since) * 1000
        self._phase, self._since = phase, now
        return outer

    def cache(
        self, source: str, use: str, file: Damageable | None = None, instead: str | None = None
    ) -> None:
        """Keep how a copy of a source was used, and the file that it is in.

        instead: what it holds, where that is not what the attention index declares.
        """
        self._cache[source] = f"{use} ({instead})" if instead else use
        self._missed |= use != "hit"
        if file is not None:
            self._copies[source] = file

    def harmed(self) -> bool:
        """Whether a file that the answer is made of was damaged."""
        return any(file.damaged for file in self._copies.values())

    def forget_copies(self) -> None:
        """Begin anew, with other files."""
        self._copies.clear()

    def take_scored(self) -> tuple[Scored | None, bool]:
        """What the last scan scored, and whether all out of copies that were current; forgotten with this."""
        scored, warm = self._scored, bool(self._copies) and not self._missed
        self._scored, self._missed = None, False
        return scored, warm

    def lap(self) -> tuple[float, float, float, float]:
        """Milliseconds in read, check, kernel and emit since this was last asked."""
        self.turn_to(self._phase)
        ms, (read, check, kernel, emit) = self.milliseconds, self._lap
        self._lap = (ms["read"], ms["check"], ms["kernel"], ms["emit"])
        return ms["read"] - read, ms["check"] - check, ms["kernel"] - kernel, ms["emit"] - emit

    def lines(self) -> list[tuple[str, object, str | None]]:
        """(label, value, unit) of each figure."""
        counts: list[tuple[str, object, str | None]] = [
            ("Rows Read", self.rows_read, None),
            (self.skipped_label, self.nulls_skipped, None),
            *(("Cache Use", use, None) for use in self._cache_lines()),
            *((label, number, None) for label, number in self._further.items()),
            *((label, note, None) for label, note in self._notes.items()),
        ]
        return counts + [(f"{phase.title()} Time", ms, "ms") for phase, ms in self.milliseconds.items()]

    def _cache_lines(self) -> list[str]:
        """One line: how the copy was used, source by source where there are several."""
        if len(self._cache) < 2:
            return list(self._cache.values())
        return ["; ".join(f"{source}: {use}" for source, use in self._cache.items())]
