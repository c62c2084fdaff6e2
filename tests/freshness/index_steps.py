"""Steps that change attention indexes."""

from __future__ import annotations

from registry import columns, leaf, step
from sessions import Session
from walk import Walk


@step(3, changes_definition=True)
def create_attention_index(walk: Walk, session: Session) -> None:
    """On the whole table or a part of it, sometimes without the id, whose updates are HOT then."""
    if walk.dtype is not None:
        table, column = columns(walk, session)
        on = walk.random.choice([table, table, leaf(walk, session)])
        include = walk.random.choice(["INCLUDE (id)", "INCLUDE (id)", "INCLUDE (place, id)", ""])
        walk.do(session, walk.attention_index(on, column, include))


@step(1, alone=True)
def create_attention_index_concurrently(walk: Walk, session: Session) -> None:
    if walk.dtype is not None:
        _, column = columns(walk, session)
        statement = walk.attention_index(leaf(walk, session), column)
        walk.do(session, statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY"))


@step(2)
def index_over_a_broken_chain(walk: Walk, session: Session) -> None:
    """A snapshot from before an update that was HOT until the index came."""
    if walk.dtype is None:
        return
    for other in walk.sessions:
        other.end("COMMIT")
    walk.finish_prepared()
    table, column = columns(walk, session)
    for name in walk.indexes(session, table):
        walk.do(session, f"DROP INDEX {name}")
    old = walk.random.choice([writer for writer in walk.writers if writer is not session])
    walk.do(old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other")
    walk.do(session, f"UPDATE {table} SET {column} = '{walk.vector()}' WHERE id % 2 = 0")
    walk.do(session, walk.attention_index(table, column))
    walk.check(old)
    walk.check(session)
