"""A random walk: sessions change one table in every way there is, and after each step ask what it holds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from random import Random
from typing import Any

import checks
import numpy as np
import psycopg
from kinds import READER, SETUP, Variant
from psycopg.pq import TransactionStatus
from sessions import SETTINGS, Session

from ruattn_fdw.server.server import Server
from tests.crashes import crash

LAST = 40
# what a search may be answered with instead of rows, plain SQL likewise
NO_ANSWER = (psycopg.errors.LockNotAvailable, psycopg.errors.SerializationFailure)


class DifferenceError(AssertionError):
    """An answer that is not that of plain SQL."""


class Walk:
    """Sessions, the table, and what happened."""

    def __init__(self, server: Server, database: str, variant: Variant, seed: int, dtype: str | None) -> None:
        """database: an empty one with the extension. dtype: that of the attention index, None: no index."""
        self.server, self.variant, self.dtype, self.seed = server, variant, dtype, seed
        self.random, self.numbers = Random(seed), np.random.default_rng(seed)
        self.log: deque[str] = deque(maxlen=LAST)
        self.counts: Counter[str] = Counter()
        self.last_id, self.known_ids = 0, list[int]()
        self.prepared: list[str] = []
        self.uri = server.uri(database)
        self.writers = [Session(f"writer {number}", self.uri, None) for number in range(4)]
        self.sessions = [*self.writers]
        self.oid = self._make(self.writers[0])
        self.sessions.append(Session("reader", self.uri, READER))

    def close(self) -> None:
        """End all sessions and prepared transactions."""
        for session in self.sessions:
            session.connection.close()
        # a prepared transaction would keep the database from being dropped
        with psycopg.connect(self.uri, autocommit=True) as connection:
            for (name,) in connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
                connection.execute(f"ROLLBACK PREPARED '{name}'".encode())

    def run(self, registry: Sequence[Any], steps: int, crash_every: int) -> None:
        """Take that many steps of the registry; raises DifferenceError with all that led to it."""
        weights = [step.weight for step in registry]
        for number in range(1, steps + 1):
            if not number % crash_every:
                self.crash()
            step = self.random.choices(registry, weights)[0]
            self.log.append(f"{number}: {step.name}")
            actor = self.random.choice(self.writers)
            self._take(step, actor)
            others = [session for session in self.sessions if not session.dozing]
            for session in {actor.name: actor, **{s.name: s for s in self.random.sample(others, 1)}}.values():
                self.check(session)

    def do(self, session: Session, statement: str, values: Sequence[Any] | None = None) -> list[Any]:
        """Run a statement and note it."""
        self.log.append(f"    {session.name}: {statement[:160]}")
        return session.run(statement, values)

    def table(self, session: Session) -> str:
        """How the table is called now, as that session sees it."""
        # opening the table first: a name from the session's cache may be an old one
        return str(session.run(f"SELECT pg_relation_size({self.oid}), {self.oid}::regclass::text")[0][1])

    def vector_column(self, session: Session, table: str) -> str | None:
        """How the vector's column is called now; None where it was dropped."""
        described = session.connection.execute(f"SELECT * FROM {table} LIMIT 0".encode()).description or ()
        return next((column.name for column in described if column.name.startswith("vec")), None)

    def new_id(self) -> int:
        """An id that was never used."""
        self.last_id += 1
        return self.last_id

    def vector(self) -> str:
        """A random vector as a literal."""
        return checks.literal(self.numbers.standard_normal(self.variant.dimensions).astype(np.float32))

    def some_id(self) -> int:
        """The id of a row that was there lately."""
        return self.random.choice(self.known_ids) if self.known_ids else 0

    def check(self, session: Session) -> None:
        """Compare an answer with plain SQL in that session's transaction."""
        if session.status == TransactionStatus.INERROR:
            self._recover(session)
        try:
            table = self.table(session)
            column = self.vector_column(session, table)
            if column is not None:
                self.compare(session, table, column)
        except NO_ANSWER as error:
            self._count(f"check {type(error).__name__}")

    def compare(self, session: Session, table: str, column: str) -> None:
        """Ask the table at random, and plain SQL; raises DifferenceError where they differ."""
        question, statement = self.question(session, table, column)
        try:
            rows = session.run(statement)
        except NO_ANSWER:
            raise
        except psycopg.Error as error:
            raise self._failed(session, f"{type(error).__name__}: {error}", statement) from error
        self.judge(session, question, rows, statement)
        if table != "brief" and not session.reads_only:
            self.known_ids = [row[1] for row in rows if not row[0]]

    def question(self, session: Session, table: str, column: str) -> tuple[checks.Question, str]:
        """A question at random, and the statement that asks it and gives the rows that it is about."""
        question = checks.draw(self.random, self.numbers, self.variant.dimensions, self.known_ids)
        return question, question.statement(self.searched(session, table), table, column)

    def judge(self, session: Session, question: checks.Question, rows: list[Any], statement: str) -> None:
        """Raises DifferenceError where the answer in these rows is not what their source says."""
        wrong = question.difference(rows)
        if wrong:
            raise self._failed(session, wrong, statement)
        self.counts["checked"] += 1

    def indexes(self, session: Session, table: str, method: str = "%") -> list[str]:
        """The indexes of a table that can be dropped, those that failed to be built first."""
        found = session.run(
            "SELECT indexrelid::regclass::text "
            "FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am am ON am.oid = relam "
            f"WHERE indrelid = '{table}'::regclass AND amname LIKE '{method}' "
            "AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) "
            "ORDER BY indisvalid, indexrelid"
        )
        # an old snapshot may hold one that is gone: it has no name any more
        return [row[0] for row in found if not row[0].isdigit()]

    def searched(self, session: Session, table: str) -> str:
        """The relation that is searched: the table itself."""
        return table

    def attention_index(self, table: str, column: str, include: str = "INCLUDE (id)") -> str:
        """The statement that makes the attention index of this walk on a table."""
        method = f"ruvector_attention ({column}) {include} WITH (dtype = {self.dtype})"
        return f"CREATE INDEX ON {table} USING {method}"

    def is_warm(self) -> bool:
        """Whether a session that has asked before, with nobody else at work, is answered by a copy.

        A table without vectors has none.
        """
        session = self.writers[0]
        for other in self.sessions:
            other.end()
        self.finish_prepared()
        table = self.table(session)
        column = self.vector_column(session, table)
        if column is None or session.run(f"SELECT count({column}) FROM {table}") == [(0,)]:
            return True
        question = checks.Question("mha_search", self.numbers.standard_normal(self.variant.dimensions), k=3)
        uses = [
            checks.cache_use(session.connection, question.statement(table, table, column)) for _ in range(3)
        ]
        self.log.append(f"    {session.name}: {uses}")
        return uses[1:] == ["hit", "hit"]

    def crash(self) -> None:
        """Kill the server with all its processes, and start it again."""
        if self.variant.name == "unlogged":
            # PostgreSQL itself does not start again where the creation of an unlogged relation
            # reached the log and the rollback of its transaction did not
            with psycopg.connect(self.uri, autocommit=True) as connection:
                connection.execute("SELECT pg_switch_wal()")
        crash(self.server, SETTINGS)
        for session in self.sessions:
            session.connection.close()
            session.connect()

    def finish_prepared(self) -> None:
        """Commit or roll back what was prepared."""
        for name in self.prepared:
            session = self.writers[0]
            session.end()
            self.do(session, f"{self.random.choice(['COMMIT', 'ROLLBACK'])} PREPARED '{name}'")
        self.prepared.clear()

    def calm(self, actor: Session) -> None:
        """End what would keep the actor from changing the table's definition."""
        for session in self.sessions:
            if session is not actor and not session.dozing:
                session.end(self.random.choice(["COMMIT", "ROLLBACK"]))
        self.finish_prepared()

    def _take(self, step: Any, actor: Session) -> None:
        if actor.status == TransactionStatus.INERROR:
            self._recover(actor)
        actor.dozing = False
        try:
            if step.alone and actor.in_transaction:
                self.log.append(f"    {actor.name}: COMMIT")
                actor.end("COMMIT")
            if step.changes_definition and self.random.random() < 0.8:
                self.calm(actor)
            step.take(self, actor)
            self._count("done")
        except step.may_fail as error:
            self._count(type(error).__name__)
        except psycopg.Error as error:
            raise self._failed(actor, f"{type(error).__name__}: {error}", step.name) from error

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self.log.append(f"        {outcome}")

    def _recover(self, session: Session) -> None:
        if session.savepoints and self.random.random() < 0.5:
            self.do(session, "ROLLBACK TO s")
        else:
            self.do(session, "ROLLBACK")
            session.forget()

    def _failed(self, session: Session, what: str, where: str) -> DifferenceError:
        steps = "\n".join(self.log)
        again = f"--freshness-seed={self.seed}"
        return DifferenceError(
            f"{what[:2000]}\nin {session.name}, table {self.variant.name}, index {self.dtype}, {again}\n"
            f"{where[:1000]}\nafter\n{steps}"
        )

    def _make(self, session: Session) -> int:
        columns = "id bigint, place int DEFAULT 1, note text DEFAULT 'x', vec real[], shard int DEFAULT 0"
        session.run(self.variant.make.format(columns=columns))
        for number, child in enumerate(self.variant.children):
            session.run(self.variant.child.format(child=child, table="docs", number=number))
        session.run(SETUP)
        for _ in range(20):
            self.known_ids.append(self.new_id())
            session.run(
                "INSERT INTO docs (id, place, vec, shard) VALUES (%s, %s, %s::text::real[], %s)",
                [self.last_id, self.last_id * 5 % 100, self.vector(), self.last_id % 3],
            )
        if self.dtype is not None:
            for table in ("docs", *(self.variant.children if self.variant.name == "inheritance" else ())):
                session.run(self.attention_index(table, "vec"))
        # a crash must not take away the table itself
        session.run("CHECKPOINT")
        return int(session.run("SELECT 'docs'::regclass::oid::bigint")[0][0])
