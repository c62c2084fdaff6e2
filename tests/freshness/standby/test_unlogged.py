"""What is not written to the log is on the primary only: an error on a standby, as of plain SQL."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tables import DOCS

Connection = psycopg.Connection[Any]
Failure = Callable[..., psycopg.Error]

SEARCHES = (
    "SELECT id FROM mha_search WHERE table_name = 'brief' AND query_id = 1",
    "SELECT id FROM mha_search WHERE table_name = 'brief' AND query = '{1,2,3,4,5,6,7,8}' AND k = 2",
    "SELECT output FROM attention WHERE table_name = 'brief' AND query = '{1,2,3,4,5,6,7,8}'",
    "SELECT * FROM cross_attention WHERE query_table = 'brief' AND document_table = 'brief'",
)
INDEX = "CREATE INDEX attn ON brief USING ruvector_attention (vec) INCLUDE (id) WITH (dtype = {})"


@pytest.mark.parametrize("dtype", [None, "float32", "int8"])
def test_an_unlogged_table(
    db: Connection, replica: Callable[[], Connection], failure: Failure, dtype: str | None
) -> None:
    db.execute(DOCS.replace("TABLE docs", "UNLOGGED TABLE brief").replace("docs", "brief").encode())
    if dtype is not None:
        db.execute(INDEX.format(dtype).encode())
    session = replica()
    plain = failure(session, "SELECT id, vec FROM brief")
    for search in SEARCHES:
        error = failure(session, search)
        assert (error.sqlstate, error.diag.message_primary) == ("0A000", plain.diag.message_primary)
        assert len(db.execute(search.encode()).fetchall()) > 0
    explained = session.execute(f"EXPLAIN {SEARCHES[1]}".encode()).fetchall()
    assert "  Cache: none (an unlogged table on a standby)" in [row[0] for row in explained]
    listed = session.execute("SELECT index::text, state, rows FROM attention_indexes").fetchall()
    assert listed == ([] if dtype is None else [("attn", "cold", None)])


@pytest.mark.parametrize("function", ["stats", "check"])
def test_an_unlogged_index(
    db: Connection, replica: Callable[[], Connection], failure: Failure, function: str
) -> None:
    db.execute("CREATE UNLOGGED TABLE brief (id int, vec real[])")
    db.execute(INDEX.format("float32").encode())
    call = f"SELECT * FROM ruvector_attention_index_{function}('attn')"
    error = failure(replica(), call)
    assert error.sqlstate == "0A000"
    assert error.diag.message_primary == 'index "attn" is unlogged, so a standby has no entries of it'
    db.execute(call.encode())


def test_a_table_that_is_logged_in_between(
    db: Connection, replica: Callable[[], Connection], failure: Failure, agree: Callable[..., list[int]]
) -> None:
    db.execute(DOCS.replace("TABLE docs", "UNLOGGED TABLE docs").encode())
    session = replica()
    failure(session, SEARCHES[0].replace("brief", "docs"))
    for kind, difference in (("LOGGED", None), ("UNLOGGED", "0A000"), ("LOGGED", None)):
        db.execute(f"ALTER TABLE docs SET {kind}".encode())
        db.execute("UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 2")
        replica()
        if difference is not None:
            assert failure(session, SEARCHES[0].replace("brief", "docs")).sqlstate == difference
        else:
            assert agree(session) == agree(db)


def test_a_temporary_table_of_the_primary(
    db: Connection, replica: Callable[[], Connection], failure: Failure
) -> None:
    db.execute(DOCS.replace("TABLE docs", "TEMPORARY TABLE docs").encode())
    schema = db.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").fetchall()[0][0]
    session = replica()
    error = failure(session, SEARCHES[0].replace("brief", f"{schema}.docs"))
    assert error.sqlstate == failure(session, f"SELECT id, vec FROM {schema}.docs").sqlstate
    assert failure(session, SEARCHES[0].replace("brief", "docs")).sqlstate == "42P01"
    assert failure(session, "CREATE TEMPORARY TABLE mine (id int, vec real[])").sqlstate == "25006"
