"""What people would use instead: other libraries over the same rows, in this process or beside it.

Each is optional. One that is not there gives a note that the run prints loudly, and nothing else happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

from workload import PEER, Contender

NOT_MEASURED = "NOT MEASURED"


@dataclass(frozen=True)
class Peer:
    """Another way to search. `answer(number)` searches for row `number` (from 0) and gives the ids that it
    finds (from 1), or None where it gives no ids. prepare: sets threads and the like, outside the time.
    exact: its ids must be the best in float32; else their recall is shown.
    """

    name: str
    answer: Callable[[int], list[int] | None]
    prepare: Callable[[], Any] = lambda: None
    exact: bool = False

    def run(self) -> float:
        """Milliseconds of a search for the first row."""
        self.prepare()
        start = time.perf_counter()
        self.answer(0)
        return (time.perf_counter() - start) * 1000

    def contender(self, base: str, recall: float | None = None, kind: str = PEER) -> Contender:
        """This peer in a workload."""
        return Contender(self.name, self.run, base=base, recall=recall, kind=kind)


def named_maker(maker: Callable[..., list[Peer]], *arguments: object) -> Callable[[], list[Peer]]:
    """A maker of peers with its arguments, which keeps its name for the note."""
    return update_wrapper(partial(maker, *arguments), maker)


def gathered(makers: list[Callable[[], list[Peer]]], notes: list[str]) -> list[Peer]:
    """The peers that are there; a note for each maker whose are not."""

    def made(maker: Callable[[], list[Peer]]) -> list[Peer]:
        try:
            return maker()
        except Exception as problem:  # whatever another library throws, it is not measured
            notes.append(missing(maker.__name__, problem))
            return []

    return [peer for maker in makers for peer in made(maker)]


def missing(name: str, problem: object) -> str:
    """The note of a peer that is not there."""
    return f"{NOT_MEASURED}: {name.replace('_', ' ').strip()}: {problem}"
