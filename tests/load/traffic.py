"""Sessions that search tables while another one changes them, and what came of it."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random
from typing import Any

import psycopg

from tests.load.memory import Memory, resident
from tests.load.words import KINDS, Words

Connection = psycopg.Connection[Any]

CHANGES_A_VACUUM, PAUSE, WATCH_EVERY = 40, 0.02, 0.05
IN_ONE_SNAPSHOT = 3
"""Statements of a transaction that must all see the same."""


@dataclass
class Tally:
    """What came of all searches: milliseconds by what was searched, and what went wrong."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    # by table: changes that were begun, and that were committed
    begun: Counter[str] = field(default_factory=Counter)
    committed: Counter[str] = field(default_factory=Counter)

    @property
    def spent(self) -> list[float]:
        """Milliseconds of all searches, sorted."""
        return sorted(time for times in self.milliseconds.values() for time in times)

    def quantile(self, part: float) -> float:
        """Milliseconds that this part of the searches took at most."""
        spent = self.spent
        return spent[min(len(spent) - 1, int(len(spent) * part))]


@dataclass
class Traffic:
    """Searches (kind, search) of `words` for a time, and the changes meanwhile."""

    words: Words
    searches: Sequence[tuple[str, str]]
    seed: int
    seconds: float
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def search(self, session: Connection, number: int) -> None:
        """Search in all ways, beginning with that of the number, until it is time.

        Now and then several times under one snapshot.
        """
        chance = Random(self.seed * 1000 + number)
        for kind, search in islice(cycle(self.searches), number * 4 % len(self.searches), None):
            if time.monotonic() >= self._until:
                break
            held = chance.random() < 0.1
            try:
                with session.transaction() if held else nullcontext():
                    self._search(session, kind, search, chance, IN_ONE_SNAPSHOT if held else 1)
            except psycopg.Error as error:
                self.tally.errors.append(f"{search} of {kind}: {error}")

    def _search(self, session: Connection, kind: str, search: str, chance: Random, times: int) -> None:
        """Search so many times; the version seen lies between what was committed before and begun after."""
        if times > 1:
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        committed, seen = self.tally.committed[kind], set()
        for _ in range(times):
            statement = self.words.ask(kind, search, chance, committed)
            start = time.perf_counter()
            agrees, version = session.execute(statement.encode()).fetchall()[0]
            self.tally.milliseconds[f"{search} of {kind}"].append((time.perf_counter() - start) * 1000)
            seen.add(version)
            if not agrees or len(seen) > 1 or not committed <= version <= self.tally.begun[kind]:
                self.tally.stale.append(f"{search} of {kind}: {agrees}, {seen} after {committed}")

    def change(self, session: Connection) -> None:
        """Change one table after the other until it is time, and run VACUUM now and then."""
        chance = Random(self.seed)
        while time.monotonic() < self._until:
            kind = chance.choice(KINDS)
            self.tally.begun[kind] += 1
            try:
                self.words.change(session, kind, self.tally.begun[kind], chance)
            except psycopg.Error as error:
                self.tally.errors.append(f"change of {kind}: {error}")
            self.tally.committed[kind] = self.tally.begun[kind]
            if self.tally.begun.total() % CHANGES_A_VACUUM == 0:
                session.execute(f"VACUUM {kind}".encode())
            time.sleep(PAUSE)

    def run(self, sessions: list[Connection], changer: Connection) -> Memory:
        """All sessions at once until it is time; the most memory that those who search had together.

        Pages that they share with the postmaster become fewer all the time, and count as at the end.
        """
        work: list[Callable[[], None]] = [lambda: self.change(changer)]
        for number, session in enumerate(sessions):
            work.append(lambda session=session, number=number: self.search(session, number))  # type: ignore[misc]
        threads = [threading.Thread(target=part, daemon=True) for part in work]
        for thread in threads:
            thread.start()
        most, pids = 0.0, [session.info.backend_pid for session in sessions]
        while time.monotonic() < self._until:
            time.sleep(WATCH_EVERY)
            most = max(most, resident(pids))
        now = Memory.of(pids)
        for thread in threads:
            thread.join(60)
        hanging = sum(thread.is_alive() for thread in threads)
        assert not hanging, f"{hanging} sessions do not end"
        return now._replace(anon=most - now.inherited)
