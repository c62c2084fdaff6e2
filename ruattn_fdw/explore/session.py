"""The one read-only session that all requests of the page share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from ruattn_fdw.asking import Connection

TIMEOUT = "30s"
CANCEL_SECONDS = 5


class Session:
    """Opens a connection with ``connect``, and another where the server ended it; one request at a time."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection = self._open()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The connection, for the statements of one request: they see the same rows."""
        with self._lock:
            if self._connection.closed:
                self._connection = self._open()
            with self._connection.transaction():
                yield self._connection

    def cancel(self) -> None:
        """End the statement that runs, if one does; another thread waits for it."""
        self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        """End it."""
        self._connection.close()

    def _open(self) -> Connection:
        connection = self._connect()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        # said at each BEGIN: what a function in a view sets would otherwise hold for the next transaction
        connection.read_only = True
        connection.execute(f"SET statement_timeout = '{TIMEOUT}'".encode())
        return connection
