"""Entries that a rollback has left without a row: ALTER TABLE ... SET TABLESPACE moves the table alone, so
what is inserted after it stands in the old files of the indexes, but not in the old file of the table.

PostgreSQL's own indexes have the same, and give wrong rows by it (18.4).
"""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from checks import QUERY, Question, cache_use

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))
ROW = "'{1,2,3,4,5,6,7,8}'"

pytestmark = pytest.mark.parametrize("index", ["float32", "float16"])


def insert_in_vain(session: Connection, vector: str = ROW, rows: int = 1) -> None:
    session.execute("BEGIN; ALTER TABLE docs SET TABLESPACE spare")
    session.execute(f"INSERT INTO docs SELECT i, i, '', {vector} FROM generate_series(1, {rows}) i".encode())
    session.execute("ROLLBACK")


def forget_copies(server: Server) -> None:
    for file in (server.data / "base" / "pgsql_tmp").glob("pgsql_tmp_ruattn*"):
        file.unlink()


def stays_warm(session: Connection, index: str) -> bool:
    """Whether a search hits the copy; float16 cannot answer this one."""
    question = Question("mha_search", QUERY, 2)
    use = cache_use(session, question.statement("docs", "docs", "vec"))
    return use == "hit" or index == "float16"


@pytest.mark.parametrize("searched_between", [False, True])
@pytest.mark.parametrize("vectors", [(ROW, ROW), ("NULL", ROW), (ROW, "NULL")])
def test_a_row_where_one_was_rolled_back(
    docs: Connection,
    connect: Connect,
    agree: Agree,
    index: str,
    searched_between: bool,
    vectors: tuple[str, str],
) -> None:
    insert_in_vain(docs, vectors[0])
    if searched_between:
        assert agree(docs) == ALL
    docs.execute(f"INSERT INTO docs VALUES (13, 13, '', {vectors[1]})".encode())
    wanted = ALL if vectors[1] == "NULL" else [*ALL, 13]
    for session in (docs, connect()):
        for _ in range(2):
            assert agree(session) == wanted
        assert stays_warm(session, index)
    docs.execute("UPDATE docs SET vec = vec WHERE id > 6; DELETE FROM docs WHERE id = 13")
    docs.execute("VACUUM docs")
    docs.execute("INSERT INTO docs SELECT id + 20, 0, '', vec FROM docs WHERE id > 6")
    assert agree(docs) == [*ALL, *range(27, 33)]


@pytest.mark.parametrize("cold", [False, True])
def test_entries_beyond_the_end_of_the_table(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree, index: str, cold: bool
) -> None:
    insert_in_vain(docs, rows=500)
    if cold:
        forget_copies(own_server)
    for session in (docs, connect()):
        for _ in range(2):
            assert agree(session) == ALL
        assert stays_warm(session, index)
    docs.execute(f"INSERT INTO docs SELECT i, 0, '', {ROW} FROM generate_series(13, 400) i".encode())
    assert agree(docs) == list(range(1, 401))


@pytest.mark.parametrize("cold", [False, True])
def test_entries_on_pages_that_are_all_visible(
    own_server: Server, docs: Connection, connect: Connect, agree: Agree, index: str, cold: bool
) -> None:
    insert_in_vain(docs, rows=5)
    docs.execute("VACUUM docs")
    if cold:
        forget_copies(own_server)
    for session in (docs, connect()):
        for _ in range(2):
            assert agree(session) == ALL
        assert stays_warm(session, index)
    docs.execute(f"INSERT INTO docs VALUES (13, 0, '', {ROW})".encode())
    assert agree(docs) == [*ALL, 13]
