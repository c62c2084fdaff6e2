"""Steps that begin, end and nest transactions, and hold snapshots."""

from __future__ import annotations

import psycopg
from registry import columns, step
from row_steps import update_vector
from sessions import Session
from walk import Walk

errors = psycopg.errors


@step(8)
def begin(walk: Walk, session: Session) -> None:
    session.end(walk.random.choice(["COMMIT", "ROLLBACK"]))
    level = walk.random.choice(["READ COMMITTED"] * 3 + ["REPEATABLE READ"] * 2 + ["SERIALIZABLE"] * 2)
    walk.do(session, f"BEGIN ISOLATION LEVEL {level}{walk.random.choice(['', '', '', ' READ ONLY'])}")


@step(10)
def commit(walk: Walk, session: Session) -> None:
    walk.log.append(f"    {session.name}: COMMIT")
    session.end("COMMIT")


@step(4)
def rollback(walk: Walk, session: Session) -> None:
    walk.log.append(f"    {session.name}: ROLLBACK")
    session.end("ROLLBACK")


@step(5)
def savepoint(walk: Walk, session: Session) -> None:
    if not session.in_transaction:
        walk.do(session, "BEGIN")
    walk.do(session, "SAVEPOINT s")
    session.savepoints += 1


@step(4)
def rollback_to_savepoint(walk: Walk, session: Session) -> None:
    if session.savepoints:
        walk.do(session, "ROLLBACK TO s")


@step(2)
def release_savepoint(walk: Walk, session: Session) -> None:
    if session.savepoints:
        walk.do(session, "RELEASE s")
        session.savepoints -= 1


@step(2)
def aborted_subtransaction(walk: Walk, session: Session) -> None:
    table, column = columns(walk, session)
    searched = checks_in_plpgsql(walk, table)
    walk.do(
        session,
        f"DO $$ BEGIN UPDATE {table} SET {column} = negated({column}); {searched} RAISE 'enough'; "
        "EXCEPTION WHEN raise_exception THEN NULL; END $$",
    )


def checks_in_plpgsql(walk: Walk, table: str) -> str:
    """A search inside the subtransaction that will abort."""
    return (
        f"PERFORM id FROM mha_search WHERE table_name = '{table}' AND query = '{walk.vector()}' "
        "AND num_heads = 1;"
    )


@step(4)
def hold_a_snapshot(walk: Walk, session: Session) -> None:
    """A snapshot that is taken now and used much later, without a lock on the table."""
    session.end("COMMIT")
    walk.do(session, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other")
    session.dozing = True


@step(6)
def wake(walk: Walk, session: Session) -> None:
    for other in walk.sessions:
        other.dozing = False


@step(2, may_fail=(errors.InvalidTransactionState, errors.FeatureNotSupported))
def share_a_snapshot(walk: Walk, session: Session) -> None:
    if not session.in_transaction:
        walk.do(session, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    name = walk.do(session, "SELECT pg_export_snapshot()")[0][0]
    other = walk.random.choice([writer for writer in walk.writers if writer is not session])
    other.end("COMMIT")
    walk.do(other, f"BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{name}'")
    walk.check(other)


@step(2, may_fail=(errors.FeatureNotSupported, errors.InvalidTransactionState))
def prepare_transaction(walk: Walk, session: Session) -> None:
    if not session.in_transaction:
        walk.do(session, "BEGIN")
        update_vector(walk, session)
    name = f"p{walk.new_id()}"
    session.forget()
    walk.do(session, f"PREPARE TRANSACTION '{name}'")
    walk.prepared.append(name)


@step(3, alone=True)
def finish_prepared(walk: Walk, session: Session) -> None:
    walk.finish_prepared()


@step(3)
def open_cursor(walk: Walk, session: Session) -> None:
    if not session.in_transaction:
        walk.do(session, "BEGIN")
    table, column = columns(walk, session)
    question, statement = walk.question(session, table, column)
    name = f"c{walk.new_id()}"
    walk.do(session, f"DECLARE {name} CURSOR FOR {statement}")
    session.cursors[name] = (question, [])


# a cursor looks its table up by name when it is first fetched from
@step(5, may_fail=(errors.InvalidCursorName, errors.UndefinedTable))
def fetch_from_cursor(walk: Walk, session: Session) -> None:
    if not session.cursors:
        return
    name, (question, rows) = session.cursors.popitem()
    wanted = walk.random.choice(["3", "ALL"])
    rows += walk.do(session, f"FETCH {wanted} FROM {name}")
    if wanted == "ALL":
        walk.judge(session, question, rows, name)
    else:
        session.cursors[name] = (question, rows)


@step(1)
def replica_role(walk: Walk, session: Session) -> None:
    walk.do(session, f"SET session_replication_role = {walk.random.choice(['replica', 'origin', 'local'])}")


@step(2)
def hide_other_rows(walk: Walk, session: Session) -> None:
    reader = walk.sessions[-1]
    if not reader.in_transaction:
        walk.do(reader, f"SET app.hidden = {walk.random.randrange(3)}")
    reader.end("COMMIT")
    walk.do(reader, walk.random.choice(["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"]))
