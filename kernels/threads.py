"""Work in a thread of its own, in a process whose signals belong to its main thread."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

FAULTS = {signal.SIGBUS, signal.SIGSEGV, signal.SIGFPE, signal.SIGILL}

OTHERS = signal.valid_signals() - FAULTS

INTERVAL = 0.02
"""Seconds between two looks for an interrupt."""

T = TypeVar("T")


@contextmanager
def without_signals() -> Iterator[None]:
    """Threads that start inside take no signals but those of their own faults."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, OTHERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def never() -> bool:
    """What callers who are never interrupted say."""
    return False


def watched(work: Callable[[], T], stop: Callable[[], None], interrupted: Callable[[], bool]) -> T:
    """What `work` gives or raises, while this thread looks for an interrupt: `stop` is to end the work then.

    The work has ended when this returns, so that the caller may act upon the interrupt, even by an exit.
    """
    done: Future[T] = Future()
    thread = Thread(target=_settle, args=(done, work))
    with without_signals():
        thread.start()
    while thread.is_alive():
        if interrupted():
            stop()
        thread.join(INTERVAL)
    return done.result()


def _settle(done: Future[T], work: Callable[[], T]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
