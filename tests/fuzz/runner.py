"""Runs queries of the grammar and collects what fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import psycopg

from tests.fuzz.functions import Call, Calls
from tests.fuzz.grammar import Grammar
from tests.fuzz.oracle import Failure, Outcome, is_plain, judge, judge_call, judge_prefix, judge_shards
from tests.fuzz.query import Query
from tests.fuzz.sharded import whole
from tests.fuzz.shrink import shrunk, smaller
from tests.fuzz.twins import limit_of

Connect = Callable[[], psycopg.Connection[Any]]
CALLS = 0.2
"""The share of calls of functions."""
PATIENCE = 20.0
"""Seconds until a crashed server must take connections again."""


class Runner:
    """A session, opened again where it is lost; every query runs in a transaction that is rolled back."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection = connect()
        self.counts: Counter[str] = Counter()

    def outcome(self, statements: list[str], answer: int | None) -> Outcome:
        """What became of the statements."""
        try:
            self._connection.execute("BEGIN")
            found = [self._run(statement) for statement in statements]
            self._connection.execute("ROLLBACK")
        except psycopg.Error as error:
            return Outcome(error=error, lost=self._is_lost())
        return Outcome() if answer is None else found[answer]

    def _run(self, statement: str) -> Outcome:
        with self._connection.cursor() as cursor:
            if statement.startswith("COPY"):
                with cursor.copy(statement.encode()) as copy:
                    return Outcome(("line",), [(bytes(line),) for line in copy])
            cursor.execute(statement.encode())
            if cursor.description is None:
                return Outcome()
            return Outcome([column.name for column in cursor.description], cursor.fetchall())

    def _is_lost(self) -> bool:
        try:
            self._connection.execute("ROLLBACK")
            self._connection.execute("DEALLOCATE ALL")
        except psycopg.Error:
            self._connection.close()
            self._connection = self._again()
            return True
        return False

    def _again(self) -> psycopg.Connection[Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = self._try_again()
            if connection is not None:
                return connection
            assert time.monotonic() < deadline, "the server does not come back"
            time.sleep(0.1)

    def _try_again(self) -> psycopg.Connection[Any] | None:
        try:
            return self._connect()
        except psycopg.OperationalError:
            return None

    def failure(self, case: Query | Call) -> Failure | None:
        """What is wrong with the answer to a query or a call."""
        outcome = self.outcome(case.statements(), case.answer)
        state = outcome.error.sqlstate if outcome.error is not None else None
        self.counts[
            f"error {state}" if outcome.error is not None else "rows" if outcome.rows else "no rows"
        ] += 1
        if isinstance(case, Call):
            return judge_call(case, outcome)
        found = judge(case, outcome) or self._unlike_one_table(case, outcome)
        if found is None and outcome.rows and is_plain(case) and limit_of(case) is not None:
            without = replace(case, clauses=tuple(clause for clause in case.clauses if clause.column != "k"))
            return judge_prefix(case, outcome, self.outcome(without.statements(), -1))
        return found

    def _unlike_one_table(self, query: Query, outcome: Outcome) -> Failure | None:
        """What is wrong with the answer of shards beside that of one table with all their rows."""
        one = whole(query)
        if one is None:
            return None
        expected = self.outcome(one.statements(), one.answer)
        self.counts[f"shards: {'refused' if outcome.error is not None else 'compared'}"] += 1
        return judge_shards(query, outcome, expected)

    def smallest(self, case: Query | Call, found: Failure) -> Query | Call:
        """A simpler case that fails alike; not of one that takes a minute each time."""
        if found.kind == "timeout":
            return case
        if isinstance(case, Call):
            return shrunk(case, Call.smaller, lambda smaller: self.failure(smaller) == found)
        return shrunk(case, smaller, lambda smaller: self.failure(smaller) == found)

    def run(self, grammar: Grammar, calls: Calls, seed: int, count: int, most: int) -> list[str]:
        """Run the queries of a seed; a report on each kind of failure, at most so many."""
        seen: dict[Failure, str] = {}
        for number in range(count):
            random = Random(f"{seed}:{number}")
            case = calls.call(random) if random.random() < CALLS else grammar.query(random)
            found = self.failure(case)
            if found is None:
                continue
            self.counts[f"failed: {found.kind}"] += 1
            if found not in seen:
                text = ";\n  ".join(self.smallest(case, found).statements())
                seen[found] = f"seed {seed}, query {number}: {found.kind}: {found.what}\n  {text}"
            if len(seen) >= most:
                break
        return list(seen.values())
