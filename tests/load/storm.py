"""Connections that come, search, and go in good and in bad ways, and what they leave behind."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from ruattn_fdw.server.server import Server
from tests.crashes import children_of
from tests.load.words import KINDS, STATEMENTS, Words

Connection = psycopg.Connection[Any]

MANY = (
    "SELECT count(*) FROM generate_series(1, 2000) g, LATERAL (SELECT id FROM mha_search "
    "WHERE table_name = '{}' AND query = (SELECT vec FROM asks WHERE id = -(g % 8)) AND num_heads = 1 "
    "AND k = 3) s"
)
CURSOR = "DECLARE found CURSOR FOR SELECT id FROM mha_search WHERE table_name = '{}' AND query_id = 1"
OPTIONS = "-c statement_timeout=60s -c client_connection_check_interval=100ms"
ENDS = {"57014", "57P01"}
"""Canceled, or terminated."""


class Leftovers:
    """What a server holds that sessions may leave behind."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        with psycopg.connect(server.uri(), autocommit=True) as session:
            self._staying = self._sessions(session)

    def count(self) -> Mapping[str, int]:
        """How many of each there are; a session that counts is not counted."""
        here, data = Path(f"/proc/{self._postmaster}"), self._server.data
        with psycopg.connect(self._server.uri(), autocommit=True) as session:
            locks = session.execute("SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()")
            return {
                "locks": locks.fetchall()[0][0],
                "sessions": self._sessions(session),
                "files of copies": len(list((data / "base" / "pgsql_tmp").iterdir())),
                "dynamic shared memory": len(list((data / "pg_dynshmem").iterdir())),
                "segments of shared memory": self._segments(),
                "processes": len(children_of(self._postmaster)) - 1,
                "files of the postmaster": len(os.listdir(here / "fd")),
                "mappings of the postmaster": (here / "maps").read_text().count("\n"),
            }

    def _sessions(self, session: Connection) -> int:
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        found = session.execute(f"SELECT FROM pg_stat_activity WHERE {others}".encode())
        return found.rowcount

    def _segments(self) -> int:
        """System V segments that the postmaster made."""
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()
        made_by = lines[0].split().index("cpid")
        return sum(int(line.split()[made_by]) == self._postmaster for line in lines[1:])

    def memory(self) -> int:
        """kB of the postmaster's own."""
        lines = Path(f"/proc/{self._postmaster}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:")))

    def settled(self) -> Mapping[str, int]:
        """What is there once sessions are gone; or at last."""
        deadline = time.monotonic() + 20
        while (now := self.count())["sessions"] > self._staying and time.monotonic() < deadline:
            time.sleep(0.05)
        return now

    def more_than(self, before: Mapping[str, int]) -> Mapping[str, tuple[int, int]]:
        """What there is more of for long: how many before, and now. What was ending then may be gone."""
        deadline = time.monotonic() + 20
        while True:
            more = {name: (before[name], now) for name, now in self.count().items() if now > before[name]}
            if not more or time.monotonic() > deadline:
                return more
            time.sleep(0.05)


@dataclass
class Storm:
    """Connections to a server whose tables do not change. Each method is the life of one of them."""

    server: Server
    database: str
    words: Words
    host: str | None = None

    def live(self, number: int) -> str:
        """One connection; the name of its end. Raises what nothing explains."""
        chance = Random(number)
        ends = (
            self.leave,
            self.vanish,
            self.cancel,
            self.terminate,
            self.time_out,
            self.abandon,
            self.forget,
        )
        end = ends[number % len(ends)]
        session = self._connect()
        try:
            end(session, chance)
        finally:
            session.close()
        return end.__name__

    def answers(self, session: Connection, kind: str, search: str) -> bool:
        """Whether a search gives what plain SQL gives."""
        statement = self.words.ask(kind, search, Random(search), 0)
        return session.execute(statement.encode()).fetchall() == [(True, 0)]

    def _connect(self) -> Connection:
        uri = self.server.uri(self.database)
        if self.host is not None:
            uri = make_conninfo(uri, host=self.host)
        return psycopg.connect(uri, autocommit=True, connect_timeout=60, options=OPTIONS)

    def leave(self, session: Connection, chance: Random) -> None:
        """Search, and close the connection as one should."""
        kind, search = chance.choice(KINDS), chance.choice(list(STATEMENTS))
        assert self.answers(session, kind, search), f"{search} of {kind}"

    def vanish(self, session: Connection, chance: Random) -> None:
        """Reset the connection in the midst of a search."""
        session.pgconn.send_query(MANY.format(chance.choice(KINDS)).encode())
        time.sleep(chance.random() * 0.1)
        self._reset(session)

    def abandon(self, session: Connection, chance: Random) -> None:
        """Reset the connection in a transaction, with a cursor that is open."""
        session.execute("BEGIN")
        session.execute(CURSOR.format(chance.choice(KINDS)).encode())
        assert len(session.execute("FETCH 1 FROM found").fetchall()) == 1
        self._reset(session)

    def cancel(self, session: Connection, chance: Random) -> None:
        """Cancel a search, and search again."""
        session.pgconn.send_query(MANY.format(chance.choice(KINDS)).encode())
        time.sleep(chance.random() * 0.1)
        session.cancel()
        self._ended(session)
        self.leave(session, chance)

    def terminate(self, session: Connection, chance: Random) -> None:
        """End the session from another one, in the midst of a search."""
        session.pgconn.send_query(MANY.format(chance.choice(KINDS)).encode())
        time.sleep(chance.random() * 0.1)
        with psycopg.connect(self.server.uri(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])
        self._ended(session)

    def time_out(self, session: Connection, chance: Random) -> None:
        """Run into a timeout, and search again."""
        session.execute(f"SET statement_timeout = {chance.randrange(1, 50)}".encode())
        with suppress(psycopg.errors.QueryCanceled):
            session.execute(MANY.format(chance.choice(KINDS)).encode())
        session.execute("SET statement_timeout = '60s'")
        self.leave(session, chance)

    def forget(self, session: Connection, chance: Random) -> None:
        """Search after the copies were removed under the eyes of all."""
        for file in (self.server.data / "base" / "pgsql_tmp").glob("pgsql_tmp_ruattn*"):
            file.unlink(missing_ok=True)
        self.leave(session, chance)

    def _ended(self, session: Connection) -> None:
        """Read what a statement comes to: its rows, or that it was ended."""
        while (result := session.pgconn.get_result()) is not None:
            code = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
            assert code is None or code.decode() in ENDS, result.error_message

    def _reset(self, session: Connection) -> None:
        """Close the connection without a word; by TCP with RST. The number stays open: libpq closes it."""
        number = session.pgconn.socket
        with socket.socket(fileno=os.dup(number)) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), number)
