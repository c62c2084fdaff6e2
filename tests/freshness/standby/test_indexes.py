"""Attention indexes that the primary makes anew while a standby holds snapshots that it knows nothing of."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from checks import cache_use
from tables import TABLES

Connection = psycopg.Connection[Any]
Replica = Callable[[], Connection]
Replay = Callable[[], None]
Agree = Callable[[Connection], list[int]]

ALL = list(range(1, 13))
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,2,3,4,5,6,7,8}' AND k = 20"
MADE_ANEW = ("REINDEX INDEX attn_{}", "REINDEX INDEX CONCURRENTLY attn_{}", "REINDEX TABLE {}")


def is_warm(session: Connection) -> bool:
    """Whether a search of each table finds its copy as it needs it."""
    return all(cache_use(session, SEARCH.replace("docs", name)) == "hit" for name in TABLES.names)


@pytest.fixture
def held(tables: Connection, replica: Replica) -> Iterator[Connection]:
    """A session of the standby in a transaction with a snapshot, which has locked none of the tables."""
    # keeps the catalogues' old rows, but not the tables', so that nothing removes what the snapshot sees
    tables.execute("SELECT pg_create_logical_replication_slot('kept', 'pgoutput')")
    session = replica()
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    yield session
    tables.execute("SELECT pg_drop_replication_slot('kept')")


@pytest.mark.parametrize("statement", MADE_ANEW)
def test_rows_that_were_dead_when_an_index_was_built(
    tables: Connection, held: Connection, replica: Replica, agreed: Agree, statement: str
) -> None:
    """No session of the primary saw them any more, so the new index has no entries of them."""
    TABLES.run(tables, "DELETE FROM docs WHERE id > 9")
    for name in TABLES.names[1:]:
        tables.execute(statement.format(name).encode())
    new = replica()
    for _ in range(2):
        assert agreed(new) == ALL[:9]
        assert agreed(held) == ALL
    assert is_warm(new)
    held.execute("COMMIT")
    assert agreed(held) == ALL[:9]


def test_an_index_of_another_kind_in_place_of_one(
    tables: Connection, held: Connection, replica: Replica, replay: Replay, agreed: Agree
) -> None:
    old = replica()
    assert agreed(old) == ALL
    for name in TABLES.names[1:]:
        tables.execute(f"DROP INDEX attn_{name}".encode())
    TABLES.run(tables, "UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
    replay()
    assert agreed(old) == agreed(held) == ALL
    TABLES.index(tables, "INCLUDE (id, place)")
    new = replica()
    for session in (new, old, held) * 2:
        assert agreed(session) == ALL
    assert is_warm(new)
    held.execute("COMMIT")
    assert agreed(held) == ALL


def test_ids_that_changed_before_their_index_was_built(
    tables: Connection, held: Connection, replica: Replica, agreed: Agree
) -> None:
    """Versions of a row with different ids hang on one entry of the attention index, which knows no ids."""
    for name in TABLES.names[1:]:
        tables.execute(f"DROP INDEX attn_{name}".encode())
    TABLES.run(tables, "DROP INDEX IF EXISTS docs_id")
    TABLES.index(tables, "")
    TABLES.run(tables, "UPDATE docs SET id = id + 100 WHERE id > 9")
    TABLES.run(tables, "CREATE UNIQUE INDEX docs_id ON docs (id)")
    new = replica()
    for _ in range(2):
        assert agreed(new) == [*ALL[:9], 110, 111, 112]
        assert agreed(held) == ALL
    assert is_warm(new)
