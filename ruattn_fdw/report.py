"""What a scan did, for EXPLAIN (ANALYZE)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Report:
    """Counts and times of a table's scans, added up over the rescans of one executor node."""

    def __init__(self) -> None:
        self.rows_read = 0
        self.nulls_skipped = 0
        self._further: dict[str, int] = {}
        self._notes: dict[str, object] = {}
        self.milliseconds = {"check": 0.0, "read": 0.0, "kernel": 0.0, "emit": 0.0}

    def count(self, label: str, number: int) -> None:
        """Add to a figure that only some tables have."""
        self._further[label] = self._further.get(label, 0) + number

    def note(self, notes: Mapping[str, object]) -> None:
        """Keep what the last scan's mechanism tells of its answer, by label."""
        self._notes.update(notes)

    @contextmanager
    def timing(self, phase: str) -> Iterator[None]:
        """Add the time spent inside to one of the phases."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.milliseconds[phase] += (time.perf_counter() - start) * 1000

    def lines(self) -> list[tuple[str, object, str | None]]:
        """(label, value, unit) of each figure."""
        counts: list[tuple[str, object, str | None]] = [
            ("Rows Read", self.rows_read, None),
            ("NULL Vectors Skipped", self.nulls_skipped, None),
            *((label, number, None) for label, number in self._further.items()),
            *((label, note, None) for label, note in self._notes.items()),
        ]
        return counts + [(f"{phase.title()} Time", ms, "ms") for phase, ms in self.milliseconds.items()]
