"""Sessions of a server of its own, which may be killed under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "logical",
    "max_prepared_transactions": "20",
    "max_locks_per_transaction": "256",
    "allow_in_place_tablespaces": "on",
    # a checkpoint recycles what it has just flushed, before a busy machine has sent it to a standby
    "wal_keep_size": "256MB",
    "shared_preload_libraries": "ruattn_fdw",
    # so that a crash loses what was committed last
    "wal_writer_delay": "10s",
}
# which gives way to replay at once
STANDBY = {**SETTINGS, "hot_standby_feedback": "off", "max_standby_streaming_delay": "100ms"}
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
