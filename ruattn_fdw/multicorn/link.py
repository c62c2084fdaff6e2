"""A role's connection to its own server, through which the rows of sources are read."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

from ruattn_fdw.errors import TOO_COMPLEX, AttentionError
from ruattn_fdw.multicorn import backend

POLL = 0.05
"""Seconds between two looks at whether the query is cancelled."""

LOCK_TIMEOUT = 10_000
"""Milliseconds to wait for a lock where the caller sets no limit: it may be his own transaction's."""

CHUNK = 1 << 22
"""Bytes of rows handed over at one time."""

Answer = TypeVar("Answer")

DEPTH = "ruattn_fdw.depth"
DEEPEST = 8

CONNECTION_FAILED = "08001"
PASSWORD_REQUIRED = "2F003"
HEADER = 19
TRAILER = b"\xff\xff"
OPEN = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.ACTIVE)
FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)
WORDS = {
    "sqlstate": pq.DiagnosticField.SQLSTATE,
    "message": pq.DiagnosticField.MESSAGE_PRIMARY,
    "detail": pq.DiagnosticField.MESSAGE_DETAIL,
    "hint": pq.DiagnosticField.MESSAGE_HINT,
}


class Credentials(NamedTuple):
    """Who a connection is made as; repr shows no password."""

    user: str
    password: str | None

    def __repr__(self) -> str:
        return f"Credentials({self.user!r})"


class Link:
    """One connection. What it reads between two calls of `end` is read under one snapshot."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._conn = _connect(credentials)
        self._known: dict[object, Any] = {}

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return bool(self._conn.status == pq.ConnStatus.OK)

    def rows(self, statement: str) -> Iterator[list[bytes]]:
        """The rows of a SELECT in COPY's binary format, in chunks; AttentionError for the server's error."""
        self._begin()
        try:
            yield from self._copied(f"COPY ({statement}) TO STDOUT (FORMAT binary)")
        except OperationalError as error:
            raise _lost(error) from error
        finally:
            if self._conn.transaction_status != pq.TransactionStatus.INTRANS:
                self.end()

    def once(self, key: object, read: Callable[[], Answer]) -> Answer:
        """What `read` gives, read once under a snapshot."""
        self._begin()
        if key not in self._known:
            self._known[key] = read()
        found: Answer = self._known[key]
        return found

    def literal(self, text: str) -> str:
        """A string as SQL has it."""
        return pq.Escaping(self._conn).escape_literal(text.encode()).decode()

    def end(self) -> None:
        """End the transaction, if one is open; in the middle of a statement, the connection."""
        status = self._conn.transaction_status
        if status == pq.TransactionStatus.ACTIVE:
            self._conn.get_cancel().cancel()
            self._conn.finish()
        elif self.is_open and status != pq.TransactionStatus.IDLE:
            self._conn.exec_(b"ROLLBACK")

    def _begin(self) -> None:
        if self._conn.transaction_status in OPEN:
            return
        self._known.clear()
        try:
            self._run(self._beginning())
        except (OperationalError, AttentionError):
            if self.is_open:
                raise
            # ended while it was idle: nothing is lost yet
            self._conn = _connect(self.credentials)
            self._run(self._beginning())

    def _beginning(self) -> str:
        path, timeout = self.literal(backend.search_path()), backend.lock_timeout() or LOCK_TIMEOUT
        return (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            f"SELECT pg_catalog.set_config('search_path', {path}, true), "
            f"pg_catalog.set_config('lock_timeout', '{timeout}', true)"
        )

    def _run(self, statement: str) -> None:
        self._conn.send_query(statement.encode())
        for result in list(self._results()):
            _check(result)

    def _copied(self, statement: str) -> Iterator[list[bytes]]:
        self._conn.send_query(statement.encode())
        failure = None
        for result in self._results():
            if result.status == pq.ExecStatus.COPY_OUT:
                yield from self._chunks()
            elif result.status in FAILED:
                failure = result
        if failure is not None:
            _check(failure)

    def _chunks(self) -> Iterator[list[bytes]]:
        """The rows, without what COPY puts before the first and after the last of them."""
        rows: list[bytes] = []
        size, skip = 0, HEADER
        while True:
            length, data = self._conn.get_copy_data(1)
            if length > 0:
                row = bytes(data)[skip:]
                skip = 0
                if row != TRAILER:
                    rows.append(row)
                    size += length
            elif length == 0:
                self._await_input()
            if rows and (size >= CHUNK or length < 0):
                yield rows
                rows, size = [], 0
            if length < 0:
                return

    def _results(self) -> Iterator[Any]:
        while True:
            while self._conn.is_busy():
                self._await_input()
            result = self._conn.get_result()
            if result is None:
                return
            yield result

    def _await_input(self) -> None:
        while not select.select([self._conn.socket], [], [], POLL)[0]:
            backend.check_interrupts()
        backend.check_interrupts()
        self._conn.consume_input()


def _connect(credentials: Credentials) -> Any:
    """A connection to this database; AttentionError where there is none to be had."""
    depth = int(backend.setting(DEPTH) or 0) + 1
    if depth > DEEPEST:
        raise AttentionError(
            f"sources are read {DEEPEST} searches deep, one seems to read itself",
            sqlstate=TOO_COMPLEX,
            hint="Name a source that does not depend on this search.",
        )
    host, port = backend.address()
    conninfo = make_conninfo(
        host=host,
        port=port,
        dbname=backend.database(),
        client_encoding="UTF8",
        application_name="ruattn_fdw",
        options=f"-c {DEPTH}={depth}",
        **{name: value for name, value in credentials._asdict().items() if value is not None},
    )
    conn = pq.PGconn.connect_start(conninfo.encode("utf-8", "surrogateescape"))
    while (state := conn.connect_poll()) != pq.PollingStatus.OK:
        if state == pq.PollingStatus.FAILED:
            raise AttentionError(
                "could not connect to this server to read the source",
                sqlstate=CONNECTION_FAILED,
                detail=conn.error_message.decode("utf-8", "replace").strip(),
                hint="The user mapping of the server ruattn says who connects, pg_hba.conf how.",
            )
        _await_progress(conn.socket, state)
    _check_password(conn, credentials)
    return conn


def _await_progress(socket: int, state: int) -> None:
    readers, writers = ([socket], []) if state == pq.PollingStatus.READING else ([], [socket])
    while not any(select.select(readers, writers, [], POLL)):
        backend.check_interrupts()


def _check_password(conn: Any, credentials: Credentials) -> None:
    """Only a superuser may be let in for who the server's account is, or by a password that it keeps."""
    if backend.is_superuser() or (credentials.password and conn.used_password):
        return
    conn.finish()
    raise AttentionError(
        "a password is required",
        sqlstate=PASSWORD_REQUIRED,
        detail="Who is no superuser must connect with the password of a user mapping.",
        hint="CREATE USER MAPPING FOR CURRENT_USER SERVER ruattn OPTIONS (user '...', password '...'), "
        "and let pg_hba.conf ask for it.",
    )


def _check(result: Any) -> None:
    """Raise what the server says went wrong."""
    if result.status not in FAILED:
        return
    found = {word: result.error_field(field) for word, field in WORDS.items()}
    said = {word: None if text is None else text.decode() for word, text in found.items()}
    raise AttentionError(
        said["message"] or "the source could not be read",
        sqlstate=said["sqlstate"] or CONNECTION_FAILED,
        detail=said["detail"],
        hint=said["hint"],
    )


def _lost(error: OperationalError) -> AttentionError:
    return AttentionError(
        "the connection that reads the source was lost", sqlstate="08006", detail=str(error).strip()
    )
