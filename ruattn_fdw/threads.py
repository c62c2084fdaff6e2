"""How many threads the kernels may use: the host starts with one, `ruattn_fdw.threads` may say more.

A server process has signal handlers that must run in its main thread only. Worker threads inherit the
signal mask of the moment at which they start, so all signals but those of the thread's own faults are
blocked around every change of the number of threads.
"""

from __future__ import annotations

import signal
import sys

FAULTS = {signal.SIGBUS, signal.SIGSEGV, signal.SIGFPE, signal.SIGILL}


class Threads:
    """The number of threads that this process uses now."""

    def __init__(self) -> None:
        self.count = 1

    def use(self, count: int) -> None:
        """Let BLAS and numexpr use `count` threads from now on."""
        if count == self.count:
            return
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - FAULTS)
        try:
            _limit_blas(count)
            _limit_numexpr(count)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        self.count = count


THREADS = Threads()


def _limit_blas(count: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=count)


def _limit_numexpr(count: int) -> None:
    numexpr = sys.modules.get("numexpr")
    if numexpr is not None:
        numexpr.set_num_threads(min(count, numexpr.utils.MAX_THREADS))
