"""The first search of a new connection, which starts the interpreter unless the library is preloaded."""

from __future__ import annotations

import time

from bench_server import SETTINGS, Server, connect
from workload import Contender, Workload

from workloads.overhead import SEARCH, overhead


def _first(running: Server, name: str) -> Contender:
    def run() -> float:
        with connect(running) as connection:
            start = time.perf_counter()
            connection.execute(SEARCH.encode()).fetchall()
            return (time.perf_counter() - start) * 1000

    return Contender(name, run)


def first_query(running: Server) -> Workload:
    """A new connection's first search over ten rows."""
    overhead(running)
    return Workload("first_query", [_first(running, "first search")], target="<= 400 ms")


def preloaded_first_query(running: Server) -> Workload:
    """The same with shared_preload_libraries = 'ruattn_fdw'."""
    overhead(running)
    running.stop()
    running.start({**SETTINGS, "shared_preload_libraries": "ruattn_fdw"})
    return Workload("preloaded_first_query", [_first(running, "first search, preloaded")], target="<= 20 ms")
