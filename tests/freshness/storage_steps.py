"""Steps that change where rows lie, and their indexes."""

from __future__ import annotations

from registry import columns, leaf, step
from sessions import Session
from walk import Walk


@step(3, alone=True)
def vacuum(walk: Walk, session: Session) -> None:
    options = walk.random.choice(["", ", FREEZE", ", INDEX_CLEANUP on", ", DISABLE_PAGE_SKIPPING"])
    walk.do(session, f"VACUUM (TRUNCATE off{options}) {walk.table(session)}")


@step(1, alone=True)
def vacuum_and_truncate(walk: Walk, session: Session) -> None:
    """With nobody in its way, for whom it would wait for seconds."""
    for other in walk.sessions:
        other.end("COMMIT")
    walk.finish_prepared()
    walk.do(session, f"DELETE FROM {walk.table(session)} WHERE id > {walk.last_id - 10}")
    walk.do(session, f"VACUUM {walk.table(session)}")


@step(1, alone=True, changes_definition=True)
def vacuum_full(walk: Walk, session: Session) -> None:
    walk.do(session, f"VACUUM FULL {walk.table(session)}")


@step(1, alone=True, changes_definition=True)
def cluster(walk: Walk, session: Session) -> None:
    table = leaf(walk, session)
    walk.do(session, f"CREATE INDEX IF NOT EXISTS {table}_note ON {table} (note)")
    walk.do(session, f"CLUSTER {table} USING {table}_note")


# not in a transaction that may be rolled back, see below
@step(1, alone=True, changes_definition=True)
def tablespace(walk: Walk, session: Session) -> None:
    to = walk.random.choice(["pg_default", "spare"])
    walk.do(session, f"ALTER TABLE {leaf(walk, session)} SET TABLESPACE {to}")


@step(1, alone=True, changes_definition=True)
def move_that_is_rolled_back(walk: Walk, session: Session) -> None:
    """It leaves entries without a row in indexes; PostgreSQL's own, which stumble over them, are dropped."""
    table, column = columns(walk, session)
    if walk.variant.name in ("keyed", "partitioned"):
        return
    for name in walk.indexes(session, table, "btree"):
        walk.do(session, f"DROP INDEX {name}")
    walk.do(session, f"BEGIN; ALTER TABLE {table} SET TABLESPACE spare")
    for end in ("ROLLBACK", "SELECT"):
        values = f"({walk.new_id()}, '{walk.vector()}')"
        walk.do(session, f"INSERT INTO {table} (id, {column}) VALUES {values}; {end}")


@step(1, changes_definition=True)
def persistence(walk: Walk, session: Session) -> None:
    if walk.variant.name == "unlogged":
        walk.do(
            session, f"ALTER TABLE {walk.table(session)} SET {walk.random.choice(['LOGGED', 'UNLOGGED'])}"
        )


@step(1, alone=True)
def analyze(walk: Walk, session: Session) -> None:
    walk.do(session, f"ANALYZE {walk.table(session)}; CHECKPOINT")


@step(2, changes_definition=True)
def create_index(walk: Walk, session: Session) -> None:
    keys = walk.random.choice(["id", "note", "place, id", "(id + 1)"])
    walk.do(session, f"CREATE INDEX ON {leaf(walk, session)} ({keys})")


@step(1, alone=True)
def create_index_concurrently(walk: Walk, session: Session) -> None:
    walk.do(session, f"CREATE INDEX CONCURRENTLY ON {leaf(walk, session)} (id)")


@step(4, changes_definition=True)
def drop_index(walk: Walk, session: Session) -> None:
    names = walk.indexes(session, leaf(walk, session))
    for name in names[: max(2, len(names) - 3)]:
        walk.do(session, f"DROP INDEX {name}")


@step(2, alone=True, changes_definition=True)
def reindex(walk: Walk, session: Session) -> None:
    walk.do(session, f"REINDEX TABLE {walk.table(session)}")


@step(1, alone=True)
def reindex_concurrently(walk: Walk, session: Session) -> None:
    walk.do(session, f"REINDEX TABLE CONCURRENTLY {walk.table(session)}")
