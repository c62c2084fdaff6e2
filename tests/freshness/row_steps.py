"""Steps that change rows."""

from __future__ import annotations

from registry import columns, leaf, step
from sessions import Session
from walk import Walk


@step(12)
def insert(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    for _ in range(walk.random.choice([1, 1, 3]) if len(walk.known_ids) < 50 else 1):
        place, shard = walk.random.randrange(100), walk.random.randrange(3)
        walk.do(
            session,
            f"INSERT INTO {table} (id, place, shard, {column}) "
            f"VALUES ({walk.new_id()}, {place}, {shard}, '{walk.vector()}')",
        )


@step(3)
def insert_into_child(walk: Walk, session: Session) -> None:
    target = leaf(walk, session)
    _, column = columns(walk, session)
    shard = walk.variant.children.index(target) if target in walk.variant.children else 0
    walk.do(
        session,
        f"INSERT INTO {target} (id, shard, {column}) VALUES ({walk.new_id()}, {shard}, '{walk.vector()}')",
    )


@step(2)
def copy(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.log.append(f"    {session.name}: COPY {table}")
    with session.connection.cursor().copy(f"COPY {table} (id, {column}) FROM STDIN".encode()) as into:
        for _ in range(3):
            into.write_row((walk.new_id(), walk.vector()))


@step(2)
def insert_null(walk: Walk, session: Session) -> None:
    walk.do(session, f"INSERT INTO {walk.table(session)} (id) VALUES ({walk.new_id()})")


@step(10)
def update_vector(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.do(session, f"UPDATE {table} SET {column} = '{walk.vector()}' WHERE id = {walk.some_id()}")


@step(3)
def update_all_vectors(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.do(session, f"UPDATE {table} SET {column} = negated({column}) WHERE id % 3 = {walk.last_id % 3}")


@step(2)
def vector_to_null(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.do(session, f"UPDATE {table} SET {column} = NULL WHERE id = {walk.some_id()}")


@step(6)
def update_another_column(walk: Walk, session: Session) -> None:
    table = walk.table(session)
    walk.do(session, f"UPDATE {table} SET note = note || 'x' WHERE id % 4 = {walk.random.randrange(4)}")


@step(5)
def update_id(walk: Walk, session: Session) -> None:
    walk.do(session, f"UPDATE {walk.table(session)} SET id = {walk.new_id()} WHERE id = {walk.some_id()}")


@step(3)
def update_order_column(walk: Walk, session: Session) -> None:
    place = walk.random.randrange(100)
    walk.do(session, f"UPDATE {walk.table(session)} SET place = {place} WHERE id = {walk.some_id()}")


@step(2)
def update_shard(walk: Walk, session: Session) -> None:
    shard = walk.random.randrange(3)
    walk.do(session, f"UPDATE {walk.table(session)} SET shard = {shard} WHERE id = {walk.some_id()}")


@step(6)
def delete(walk: Walk, session: Session) -> None:
    clause = f"id % 3 = {walk.last_id % 3}" if len(walk.known_ids) > 50 else f"id = {walk.some_id()}"
    walk.do(session, f"DELETE FROM {walk.table(session)} WHERE {clause}")


@step(3)
def lock_rows(walk: Walk, session: Session) -> None:
    walk.do(session, f"SELECT 1 FROM {walk.table(session)} WHERE id % 2 = 0 FOR SHARE")


@step(2)
def aborted_rows(walk: Walk, session: Session) -> None:
    """Rows of an aborted transaction, whose toasted values VACUUM may take away before the rows."""
    table, column = columns(walk, session)
    values = ", ".join(f"({walk.new_id()}, '{walk.vector()}')" for _ in range(3))
    session.end("COMMIT")
    walk.do(session, f"BEGIN; INSERT INTO {table} (id, {column}) VALUES {values}; ROLLBACK")


@step(2, changes_definition=True)
def truncate(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.do(session, f"TRUNCATE {table}")
    values = ", ".join(f"({walk.new_id()}, '{walk.vector()}')" for _ in range(10))
    walk.do(session, f"INSERT INTO {table} (id, {column}) VALUES {values}")
