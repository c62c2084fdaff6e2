"""Walks find answers that are stale: each of these caches is wrong in one way, and is found out."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from kinds import VARIANTS
from sessions import Session
from steps import STEPS
from walk import DifferenceError, Walk

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

SEED, STEPS_ENOUGH = 7, 400
ROWS = "SELECT tableoid::bigint, ctid::text, xmin::text, id, place, vec FROM docs"
ROW_STEPS = ("insert", "update_vector", "delete", "commit", "begin", "update_another_column")


class CachedWalk(Walk):
    """A walk whose searches go to a view that holds the rows themselves, made when `key` is a new one.

    key: given the session and the rows that it sees, (tableoid, ctid, xmin, id, place, vector).
    """

    key: Callable[[Session, list[Any]], object]
    views: dict[object, str]
    maker: Connection

    def searched(self, session: Session, table: str) -> str:
        """A view of the rows as they were when this key was first seen."""
        if table != "docs":
            return table
        rows = session.run(ROWS)
        key = self.key(session, rows)
        if key not in self.views:
            self.views[key] = f"copied_{len(self.views)}"
            values = [f"({row[3]}, {row[4]}, {_quoted(row[5])}::real[])" for row in rows]
            values.append("(NULL::bigint, NULL::int, NULL::real[])")
            rows_as_sql = f"(VALUES {', '.join(values)}) v (id, place, vec)"
            self.maker.execute(
                f"CREATE VIEW {self.views[key]} AS SELECT * FROM {rows_as_sql} WHERE id IS NOT NULL;"
                f"GRANT SELECT ON {self.views[key]} TO PUBLIC".encode()
            )
        return self.views[key]


def _quoted(vector: list[float] | None) -> str:
    return "NULL" if vector is None else f"'{{{','.join(map(repr, vector))}}}'"


CACHES: dict[str, tuple[Callable[[Session, list[Any]], object], str, tuple[str, ...]]] = {
    "never read again": (lambda session, rows: None, "plain", ROW_STEPS),
    "positions and transactions only": (
        lambda session, rows: tuple(sorted(row[:3] for row in rows)),
        "plain",
        ("insert", "drop_and_add_column", "vacuum"),
    ),
    "positions only": (
        lambda session, rows: tuple(sorted(row[:2] for row in rows)),
        "plain",
        ("truncate", "update_vector"),
    ),
    "ids only": (lambda session, rows: tuple(sorted(row[3] for row in rows)), "plain", ROW_STEPS),
    "vectors only": (
        lambda session, rows: tuple(sorted(str(row[5]) for row in rows)),
        "plain",
        (*ROW_STEPS, "update_id"),
    ),
    # nothing is written on that walk
    "the same for every role": (lambda session, rows: None, "row_security", ("hide_other_rows", "wake")),
}


@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_that_is(own_server: Server, database: str, db: Connection, cache: str) -> None:
    key, name, steps = CACHES[cache]
    variant = next(variant for variant in VARIANTS if variant.name == name)
    walk = CachedWalk(own_server, database, variant, SEED, None)
    walk.key, walk.views, walk.maker = key, {}, db
    try:
        with pytest.raises(DifferenceError, match="--freshness-seed=7"):
            walk.run([step for step in STEPS if step.name in steps], STEPS_ENOUGH, STEPS_ENOUGH + 1)
    finally:
        walk.close()


def test_a_cache_that_is_right(own_server: Server, database: str, db: Connection) -> None:
    walk = CachedWalk(own_server, database, VARIANTS[0], SEED, None)
    walk.key, walk.views, walk.maker = lambda session, rows: str(rows), {}, db
    try:
        walk.run([step for step in STEPS if step.name in ROW_STEPS], STEPS_ENOUGH // 4, STEPS_ENOUGH)
    finally:
        walk.close()
