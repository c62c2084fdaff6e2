"""What replay takes from under a search is a clear error, and the next search is answered."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from tables import TABLES

Connection = psycopg.Connection[Any]
Replica = Callable[[], Connection]
Replay = Callable[[], None]
Agree = Callable[[Connection], list[int]]

ALL = list(range(1, 13))
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2,3,4,5,6,7,8}' AND k = 20"
# a statement that searches again and again, until it is ended
ENDLESS = (
    "SELECT count(*) FROM generate_series(1, 10000000) g, LATERAL (SELECT id FROM mha_search "
    "WHERE table_name = 'docs' AND query = ARRAY[g,1,2,3,4,5,6,7] AND k = 3) s"
)


def test_vacuum_ends_a_transaction_that_saw_what_it_removes(
    tables: Connection, replica: Replica, agreed: Agree
) -> None:
    held, old = replica(), replica()
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert agreed(held) == agreed(old) == ALL
    TABLES.run(tables, "DELETE FROM docs WHERE id > 6")
    TABLES.run(tables, "VACUUM docs")
    new = replica()
    with pytest.raises(psycopg.OperationalError, match="due to conflict with recovery") as caught:
        agreed(held)
    assert caught.value.sqlstate == "40001"
    assert agreed(old) == agreed(new) == ALL[:6]
    TABLES.run(tables, "INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs")
    replica()
    assert agreed(old) == agreed(new) == agreed(tables)


@pytest.mark.usefixtures("feedback")
def test_vacuum_keeps_what_a_standby_says_that_it_sees(
    tables: Connection, replica: Replica, replay: Replay, agreed: Agree
) -> None:
    held = replica()
    held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert agreed(held) == ALL
    TABLES.run(tables, "DELETE FROM docs WHERE id > 6")
    for _ in range(2):
        TABLES.run(tables, "VACUUM docs")
        replay()
        assert agreed(held) == ALL
    held.execute("COMMIT")
    assert agreed(held) == ALL[:6]


@pytest.mark.parametrize("table", ["plain", "int8"])
@pytest.mark.parametrize(
    "removal", ["DELETE FROM {0} WHERE id > 6; VACUUM {0}", "DROP INDEX IF EXISTS attn_{0}; TRUNCATE {0}"]
)
def test_a_search_that_runs(
    tables: Connection,
    replica: Replica,
    agree: Callable[..., list[int]],
    begin: Callable[..., Future[Any]],
    table: str,
    removal: str,
) -> None:
    """Of row versions that are removed, and of relations that are locked."""
    session = replica()
    session.execute("SET statement_timeout = '30s'")
    search = begin(session, ENDLESS.replace("docs", table), table)
    for statement in removal.format(table).split("; "):
        tables.execute(statement.encode())
    new = replica()
    error = search.exception(timeout=40)
    assert isinstance(error, psycopg.OperationalError)
    assert "due to conflict with recovery" in str(error)
    assert error.sqlstate == "40001"
    for _ in range(2):
        assert agree(new, table) == agree(tables, table)
    # replay asks again while the search gives up, and before PostgreSQL 17 may so end the session
    with suppress(psycopg.OperationalError):
        assert agree(session, table) == agree(tables, table)
