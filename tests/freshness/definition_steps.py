"""Steps that change what the table is."""

from __future__ import annotations

import psycopg
from registry import columns, step
from sessions import Session
from walk import Walk

errors = psycopg.errors


@step(1, changes_definition=True, may_fail=(errors.FeatureNotSupported,))
def alter_type(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    to = walk.random.choice(["real[]", "double precision[]"])
    using = walk.random.choice([f"{column}::{to}", f"negated({column})::{to}"])
    walk.do(session, f"ALTER TABLE {table} ALTER {column} TYPE {to} USING {using}")


@step(1, changes_definition=True)
def drop_and_add_column(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    default = walk.random.choice(["NULL", f"'{walk.vector()}'"])
    walk.do(session, f"ALTER TABLE {table} DROP {column}, ADD {column} real[] DEFAULT {default}")
    if default == "NULL":
        walk.do(session, f"UPDATE {table} SET {column} = '{walk.vector()}' WHERE id % 2 = 0")


@step(1, changes_definition=True)
def rename_column(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    walk.do(session, f"ALTER TABLE {table} RENAME {column} TO {'vector' if column == 'vec' else 'vec'}")


@step(1, changes_definition=True)
def swap_names_of_columns(walk: Walk, session: Session) -> None:
    """Another column takes the vector's name in one transaction."""
    table, column = columns(walk, session)
    walk.do(
        session,
        f"ALTER TABLE {table} ADD fresh real[]; UPDATE {table} SET fresh = negated({column})::real[];"
        f"ALTER TABLE {table} DROP {column}; ALTER TABLE {table} RENAME fresh TO {column}",
    )


@step(1, changes_definition=True)
def rename_table(walk: Walk, session: Session) -> None:
    table = walk.table(session)
    walk.do(session, f"ALTER TABLE {table} RENAME TO {'docs' if table != 'docs' else 'papers'}")


@step(1, changes_definition=True)
def triggers(walk: Walk, session: Session) -> None:
    what = walk.random.choice(["DISABLE", "ENABLE", "ENABLE ALWAYS"])
    walk.do(session, f"ALTER TABLE {walk.table(session)} {what} TRIGGER touched")


@step(1, changes_definition=True)
def replica_identity(walk: Walk, session: Session) -> None:
    what = walk.random.choice(["FULL", "DEFAULT", "NOTHING"])
    walk.do(session, f"ALTER TABLE {walk.table(session)} REPLICA IDENTITY {what}")


@step(3, alone=True, changes_definition=True)
def detach_or_attach(walk: Walk, session: Session) -> None:
    """A partition, or a table that inherits, goes or comes; made anew where it no longer fits.

    Plain SQL has chosen the tables that a cursor reads when it is declared, a search when it is first read.
    """
    if not walk.variant.children:
        return
    for other in walk.sessions:
        if other is not session:
            other.end("COMMIT")
    child = walk.random.choice(walk.variant.children)
    names = {"table": walk.table(session), "child": child, "number": walk.variant.children.index(child)}
    attached = walk.do(session, f"SELECT 1 FROM pg_inherits WHERE inhrelid = '{child}'::regclass")
    if attached:
        walk.do(session, walk.variant.detach.format(**names))
        return
    try:
        walk.do(session, walk.variant.attach.format(**names))
    except (errors.DatatypeMismatch, errors.CheckViolation, errors.UndefinedColumn):
        walk.do(session, f"DROP TABLE {child}; {walk.variant.child.format(**names)}")


@step(1, alone=True)
def new_session(walk: Walk, session: Session) -> None:
    session.connection.close()
    session.connect()


@step(1, alone=True)
def created_and_truncated_in_one_transaction(walk: Walk, session: Session) -> None:
    """In place, so that even the file stays the same."""
    vectors = [walk.vector() for _ in range(4)]
    walk.do(session, "DROP TABLE IF EXISTS brief")
    walk.do(
        session,
        "BEGIN; CREATE TABLE brief (id bigint, place int, vec real[]);"
        f"INSERT INTO brief VALUES (1, 1, '{vectors[0]}'), (2, 2, '{vectors[1]}')",
    )
    walk.compare(session, "brief", "vec")
    walk.do(
        session, f"TRUNCATE brief; INSERT INTO brief VALUES (1, 1, '{vectors[2]}'), (2, 2, '{vectors[3]}')"
    )
    walk.compare(session, "brief", "vec")
    walk.do(session, "COMMIT")
    walk.compare(session, "brief", "vec")
