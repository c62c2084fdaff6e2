"""How many threads the kernels may use: the host starts with one, `ruattn_fdw.threads` may say more.

A server process has signal handlers that must run in its main thread only. Worker threads inherit the
signal mask of the moment at which they start, so it is closed around every change of the number of threads.
Anybody may set that number, so no more threads run than there are processors.
"""

from __future__ import annotations

import os
import sys

from ruattn_fdw.kernels.threads import without_signals


class Threads:
    """The number of threads that this process uses now."""

    def __init__(self) -> None:
        self.count = 1

    def use(self, count: int) -> None:
        """Let BLAS and numexpr use `count` threads from now on, at most one for each processor."""
        count = min(count, processors())
        if count == self.count:
            return
        with without_signals():
            _limit_blas(count)
            _limit_numexpr(count)
        self.count = count


THREADS = Threads()


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0))


def _limit_blas(count: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=count)


def _limit_numexpr(count: int) -> None:
    numexpr = sys.modules.get("numexpr")
    if numexpr is not None:
        numexpr.set_num_threads(min(count, numexpr.utils.MAX_THREADS))
