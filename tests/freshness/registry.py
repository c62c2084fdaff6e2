"""How a step of a walk is registered, and what steps ask of a walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from sessions import Session
from walk import Walk

errors = psycopg.errors
# another session is in the way, or the step is not for this kind of table or this state of a session
IN_THE_WAY = (
    errors.LockNotAvailable,
    errors.SerializationFailure,
    errors.ReadOnlySqlTransaction,
    errors.ObjectInUse,
    errors.ActiveSqlTransaction,
    errors.UndefinedColumn,
    errors.WrongObjectType,
    errors.CheckViolation,
    errors.DuplicateColumn,
    # ALTER TYPE makes indexes anew under names that a partition's may have taken
    errors.DuplicateTable,
    errors.DatatypeMismatch,
)


@dataclass(frozen=True)
class Step:
    """weight: how often it is taken. alone: not inside a transaction block."""

    name: str
    weight: int
    take: Callable[[Walk, Session], None]
    alone: bool
    changes_definition: bool
    may_fail: tuple[type[psycopg.Error], ...]


REGISTERED: list[Step] = []


def step(
    weight: int,
    *,
    alone: bool = False,
    changes_definition: bool = False,
    may_fail: tuple[type[psycopg.Error], ...] = (),
) -> Callable[[Callable[[Walk, Session], None]], Callable[[Walk, Session], None]]:
    """Register a function as a step."""

    def register(take: Callable[[Walk, Session], None]) -> Callable[[Walk, Session], None]:
        REGISTERED.append(
            Step(take.__name__, weight, take, alone, changes_definition, (*IN_THE_WAY, *may_fail))
        )
        return take

    return register


def columns(walk: Walk, session: Session) -> tuple[str, str]:
    """The names of the table and of its vector column, which must be there."""
    table = walk.table(session)
    column = walk.vector_column(session, table)
    if column is None:
        raise errors.UndefinedColumn("the vector column was dropped")
    return table, column


def leaf(walk: Walk, session: Session) -> str:
    """One of the relations that hold rows."""
    if walk.variant.name == "partitioned" or walk.random.random() < 0.5:
        return walk.random.choice(walk.variant.children or ("",)) or walk.table(session)
    return walk.table(session)
