"""Who reads: the options of the server and of the caller's user mapping, and the connections of each role."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import OperationalError

from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.multicorn import backend
from ruattn_fdw.multicorn.link import Credentials, Link
from ruattn_fdw.multicorn.messages import report
from ruattn_fdw.values import read

SETTINGS = (
    Parameter(
        "threads", "integer", "threads of the kernels in each session", default=1, minimum=1, maximum=256
    ),
    Parameter("max_memory", "integer", "MB that the rows of one source may take", default=1024, minimum=1),
    Parameter("features", "text", "mechanisms that can be used, by their features", default="all"),
)
"""Options of the server, where the bundled host has settings of the session."""

MAPPING = ("user", "password")
"""Options of a user mapping."""

OURS = (*MAPPING, *(setting.name for setting in SETTINGS))
MEBIBYTE = 1024 * 1024


class Session:
    """What the scans of a table share: settings, who they read as, and what is left of the options."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._user, self._password = (options.get(name) for name in MAPPING)
        self.settings = _settings(options)
        self.table_options = {name: value for name, value in options.items() if name not in OURS}

    def link(self) -> Link:
        """The connection of the role that the query runs as."""
        credentials = Credentials(self._user or backend.role_name(), self._password)
        return LINKS.get(backend.role(), credentials)

    def __enter__(self) -> None:
        ACTING.session = self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, AttentionError):
            report(error)

    def stepwise(self, rows: Iterator[Any]) -> Iterator[Any]:
        """The rows, each computed on behalf of this session, whatever runs between them."""
        with LINKS.in_use():
            while True:
                with self:
                    row = next(rows, None)
                if row is None:
                    return
                yield row


class _Acting:
    """The session on whose behalf the host is asked."""

    session: Session


ACTING = _Acting()


def acting() -> Session:
    """The session on whose behalf the host is asked."""
    return ACTING.session


def _settings(options: Mapping[str, str]) -> dict[str, Any]:
    """The settings by name, `max_memory` in bytes, with those that the bundled host has beside them."""
    found = {setting.name: read(setting, options.get(setting.name, setting.default)) for setting in SETTINGS}
    return found | {
        "max_memory": found["max_memory"] * MEBIBYTE,
        "cache_size": 0,
        # no option: one of a table or a mapping looks like the server's, and folders are for administrators
        "rerank_models": "",
        "python": sys.executable or sys.prefix,
    }


class Links:
    """One connection for each role; all transactions on them end with the statement that reads."""

    def __init__(self) -> None:
        self._by_role: dict[int, Link] = {}
        self._running = 0

    def get(self, role: int, credentials: Credentials) -> Link:
        """The role's connection; a new one where its user mapping has changed."""
        link = self._by_role.get(role)
        if link is None or not link.is_open or link.credentials != credentials:
            self._by_role.pop(role, None)
            link = self._by_role[role] = Link(credentials)
        return link

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep snapshots while rows are given out."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def one_statement(self) -> Iterator[None]:
        """End what is read for a statement that has no scan, of whose end nobody tells."""
        try:
            yield
        finally:
            self.end_of_scan()

    def end_of_scan(self) -> None:
        """Let the next statement see newer rows, unless the isolation level forbids it."""
        if self._running <= 0 and not backend.keeps_its_snapshot():
            self._end()

    def end_of_transaction(self) -> None:
        """End what is open; scans that an error ended have not said so."""
        self._running = 0
        self._end()

    def _end(self) -> None:
        for link in self._by_role.values():
            # a connection that is lost is found closed when it is next used; an error may end no abort
            with suppress(OperationalError):
                link.end()


LINKS = Links()
