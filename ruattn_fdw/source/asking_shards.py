"""What shards are asked, all of them in one statement, an unordered UNION ALL that runs asynchronously.

It runs in the caller's transaction, with his privileges and user mappings. Every name in it has its schema,
and every value is a constant: so postgres_fdw sends the conditions on, and they mean the same there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw import __version__, host_api
from ruattn_fdw.declaration import Table
from ruattn_fdw.report import Report
from ruattn_fdw.source.literals import VECTOR, Bound, Condition, conditions
from ruattn_fdw.source.rows import quote
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.values import Unknown

CONNECTING = ("08", "2F003")
"""How SQLSTATEs begin of a connection that is lost, or wants a password; their messages name no server."""
START = "SELECT f.tableoid"
LONG_ARRAY = re.compile(r"('\{[-+0-9.e,]{100})[-+0-9.e,]{900,}")


@dataclass(frozen=True)
class Question:
    """What every shard is asked: columns of a table under conditions, and options that jsonb can hold.

    query: one vector or several (m, d), which then stand in `query` one after the other; None where the
    conditions have what is asked. queries: how many they are.
    normaliser: given to the shard beside its name, for tables that have no such parameter. heads: so too,
    their number where a model has none of its own.
    """

    table: Table
    columns: Sequence[str]
    conditions: Sequence[Condition]
    options: Mapping[str, Any]
    query: np.ndarray | Unknown | None
    queries: int
    normaliser: Sequence[float] | None = None
    heads: int | None = None

    def to(self, shard: Shard) -> str:
        """The SELECT for one shard; the number of the foreign table, its first column, tells which it is."""
        asked: dict[str, Any] = {"name": shard.schema, "version": __version__}
        if self.queries > 1:
            asked["queries"] = self.queries
        if self.normaliser is not None:
            asked["normaliser"] = list(self.normaliser)
        if self.heads is not None:
            asked["heads"] = self.heads
        given = [*self._query(), *self.conditions]
        given += [Condition("options", "jsonb", {**self.options, "shard": asked})]
        columns = ", ".join((START, *(f"f.{name}" for name in self.columns)))
        relation = f"{quote(shard.schema)}.{quote(self.table.name)}"
        return f"{columns} FROM {relation} AS f WHERE {conditions('f', given, shard.vectors)}"

    def statement(self, shards: Sequence[Shard]) -> str:
        """The statement for all of them."""
        return " UNION ALL ".join(self.to(shard) for shard in shards)

    @property
    def bound(self) -> tuple[np.ndarray, ...]:
        """What is bound to it: as text the vectors would take longer to write and read for every shard."""
        return (self.query.reshape(-1),) if isinstance(self.query, np.ndarray) else ()

    def _query(self) -> list[Condition]:
        value = Bound(1) if self.bound else self.query
        return [] if value is None else [Condition("query", VECTOR, value)]


def ask(
    shards: Sequence[Shard], question: Question, kinds: Sequence[str], label: str, report: Report
) -> tuple[list[Any], np.ndarray]:
    """(columns, the shard's `oid` of each row) of what the shards answer; kinds as of `host_api.select`."""
    columns, rows = run(shards, question.statement(shards), ("id", *kinds), label, report, question.bound)
    report.count("Rows From Shards", rows)
    return columns[1:], np.asarray(columns[0])


def run(
    shards: Sequence[Shard],
    statement: str,
    kinds: Sequence[str],
    label: str,
    report: Report,
    bound: Sequence[np.ndarray] = (),
) -> tuple[list[Any], int]:
    """The columns and the number of rows of a statement about shards, whose errors name the shard."""
    with report.timing("read"), _naming(shards):
        columns, rows, _ = host_api.select(statement, kinds, label, bound)
    return columns, rows


@contextmanager
def _naming(shards: Sequence[Shard]) -> Iterator[None]:
    try:
        yield
    except host_api.postgres_error() as error:
        error.context = _remote(error.context)  # type: ignore[attr-defined]
        error.prefix = _blamed(shards, str(error), error)  # type: ignore[attr-defined]
        raise


def _remote(context: str) -> str:
    """The context of an error without the line with the statement for all shards, and what follows it.

    Of vectors, which may be hundreds, only how they begin.
    """
    before, found, _ = context.partition(START)
    shortened: str = LONG_ARRAY.sub(r"\1...", before.rpartition("\n")[0] if found else context)
    return shortened


def _blamed(shards: Sequence[Shard], message: str, error: Any) -> str:
    """How the message of an error begins, as far as it is a shard's."""
    unlike = [shard for shard in shards if f"of the row with id {shard.oid} " in message]
    if unlike:
        return f"{unlike[0].label} differs from another: "
    found = [shard for shard in shards if shard.is_asked_by(error.context)]
    found = found or [shard for shard in shards if f'"{shard.server}"' in message]
    if not found and error.sqlstate.startswith(CONNECTING):
        return f"one of {', '.join(shard.label for shard in shards)}: "
    return f"{found[0].label}: " if found else ""


def plan_lines(shards: Sequence[Shard], question: Question) -> list[tuple[str, str]]:
    """(shard, what is sent to it and how) by EXPLAIN (VERBOSE)."""
    lines = [line.strip() for line in host_api.explain(question.statement(shards), question.bound)]
    nodes = [line.removeprefix("->").strip() for line in lines if "Foreign Scan on" in line]
    remote = [line.removeprefix("Remote SQL: ") for line in lines if line.startswith("Remote SQL: ")]
    ways = ("asynchronous" if node.startswith("Async") else "one after the other" for node in nodes)
    return [(s.schema, f"{way}: {sql}") for s, way, sql in zip(shards, ways, remote, strict=True)]
