"""Sessions of a server of its own, which may be killed under them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from ruattn_fdw.server.server import Server

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "logical",
    "max_prepared_transactions": "20",
    "max_locks_per_transaction": "256",
    "allow_in_place_tablespaces": "on",
    "shared_preload_libraries": "ruattn_fdw",
    # so that a crash loses what was committed last
    "wal_writer_delay": "10s",
}
# a step that would wait for another session gives up at once: one thread drives them all
LOCK_TIMEOUT = 3


class Session:
    """One connection, and what is remembered of its transaction."""

    def __init__(self, name: str, uri: str, role: str | None) -> None:
        """role: whom it becomes after connecting, None: the superuser."""
        self.name, self._uri, self._role = name, uri, role
        self.connect()

    def connect(self) -> None:
        """Open the connection, again after a crash."""
        self.connection: psycopg.Connection[Any] = psycopg.connect(
            self._uri, autocommit=True, prepare_threshold=None
        )
        self.forget()
        self.hidden, self.dozing = 0, False
        self.run(f"SET lock_timeout = {LOCK_TIMEOUT}")
        if self._role:
            self.run(f"SET app.hidden = 0; SET ROLE {self._role}")

    @property
    def reads_only(self) -> bool:
        """Whether it is a session of a role that may only read."""
        return self._role is not None

    def forget(self) -> None:
        """The transaction is over, and all that lived in it."""
        self.savepoints, self.cursors = 0, dict[str, Any]()

    def run(self, statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement, none where it gives none."""
        cursor = self.connection.execute(statement.encode(), values, binary=bool(values) or None)
        return cursor.fetchall() if cursor.description else []

    @property
    def status(self) -> TransactionStatus:
        """Idle, in a transaction, or in one that failed."""
        return self.connection.info.transaction_status

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.status != TransactionStatus.IDLE

    def end(self, how: str = "ROLLBACK") -> None:
        """End the transaction, if there is one."""
        self.dozing = False
        if self.in_transaction:
            self.forget()
            self.run(how)


def children_of(pid: int) -> list[int]:
    """The processes that were started by `pid` and still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def crash(server: Server) -> None:
    """End the postmaster and all its processes with SIGKILL, and start the server again."""
    lock_file = server.data / "postmaster.pid"
    postmaster = int(lock_file.read_text().split()[0])
    # stopped first, so that it cannot start a process that is not in the list
    os.kill(postmaster, signal.SIGSTOP)
    processes = [postmaster, *children_of(postmaster)]
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in processes):
        assert time.monotonic() < deadline, f"processes {processes} do not end"
        time.sleep(0.005)
    # where nobody reaps the dead, the server takes them for running
    for path in (lock_file, server.socket_folder / ".s.PGSQL.5432.lock"):
        path.unlink()
    server.start(SETTINGS)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
