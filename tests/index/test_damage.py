"""The check finds damage that is done to the file of a stopped server."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

from .conftest import problems

Connection = psycopg.Connection[Any]
PAGE = 8192
HEADER = 24
ENTRY = 6
CAPACITY = 1360
PD_LOWER = 12


def place(number: int) -> int:
    """Where the entry at this place lies in the file."""
    return (number // CAPACITY + 1) * PAGE + HEADER + number % CAPACITY * ENTRY


def entry(block: int, offset: int) -> bytes:
    return struct.pack("<HHH", block >> 16, block & 0xFFFF, offset)


def word(content: bytearray, at: int, change: Callable[[int], int]) -> None:
    content[at : at + 2] = struct.pack("<H", change(struct.unpack_from("<H", content, at)[0]))


def overwrite(content: bytearray, at: int, new: bytes) -> None:
    content[at : at + len(new)] = new


DAMAGES = {
    "a dead mark": (lambda c: word(c, place(5) + 4, lambda o: o | 0x4000), ["row (0,6) has no entry"]),
    "a NULL mark": (
        lambda c: word(c, place(5) + 4, lambda o: o | 0x8000),
        ["row (0,6) has a vector, its entry says NULL"],
    ),
    "a NULL mark lost": (
        lambda c: word(c, place(9) + 4, lambda o: o & 0x3FFF),
        ["row (0,10) has a NULL vector, its entry says it has one"],
    ),
    "an address twice": (
        lambda c: overwrite(c, place(5), entry(0, 5)),
        ["row (0,5) has another entry, at place 4", "row (0,6) has no entry"],
    ),
    "an address beyond the table": (
        lambda c: overwrite(c, place(5), entry(70000, 1)),
        ["row (70000,1) lies beyond the end of the table", "row (0,6) has no entry"],
    ),
    "an address of no row": (
        lambda c: overwrite(c, place(5), entry(0, 2000)),
        ["row (0,2000) does not exist", "row (0,6) has no entry"],
    ),
    "a page of no kind": (
        lambda c: overwrite(c, 2 * PAGE + PAGE - 2, b"\0\0"),
        ["block 2 holds no attention entries", "the pages hold 1640 entries, the metapage counts 3000"],
    ),
    "a broken count": (
        lambda c: word(c, 2 * PAGE + PD_LOWER, lambda lower: lower - 1),
        ["block 2 has a wrong count of entries", "the pages hold 1640 entries, the metapage counts 3000"],
    ),
    "a lost page": (
        lambda c: overwrite(c, 2 * PAGE, bytes(PAGE)),
        ["the pages hold 1640 entries, the metapage counts 3000"],
    ),
    "a shorter page": (
        lambda c: word(c, 1 * PAGE + PD_LOWER, lambda lower: lower - ENTRY),
        ["the pages hold 2999 entries, the metapage counts 3000"],
    ),
}


@pytest.fixture
def damaged(own_server: Server) -> Callable[[Callable[[bytearray], None]], Connection]:
    """Changes the index's file while the server is stopped, and gives a connection to it afterwards."""
    with psycopg.connect(own_server.uri(), autocommit=True) as db:
        db.execute("CREATE TABLE documents (id int, embedding real[])")
        db.execute("INSERT INTO documents SELECT i, CASE WHEN i % 10 > 0 THEN '{1,2}'::real[] END"
                   " FROM generate_series(1, 3000) i")  # fmt: skip
        db.execute("CREATE INDEX attn ON documents USING ruvector_attention (embedding)")
        path = own_server.data / db.execute("SELECT pg_relation_filepath('attn')").fetchall()[0][0]

    def damage(change: Callable[[bytearray], None]) -> Connection:
        own_server.stop()
        content = bytearray(path.read_bytes())
        change(content)
        with path.open("r+b") as file:
            file.write(content)
        # page checksums, where the server has them, would find it before us
        own_server.start({"ignore_checksum_failure": "on", "autovacuum": "off"})
        return psycopg.connect(own_server.uri(), autocommit=True)

    return damage


@pytest.mark.parametrize("name", DAMAGES)
def test_it_finds(name: str, damaged: Callable[..., Connection]) -> None:
    change, expected = DAMAGES[name]
    with damaged(change) as db:
        found = problems(db)
        assert set(expected) <= set(found)
        # a page that is lost takes its entries with it
        assert len(found) == len(expected) or sum("has no entry" in problem for problem in found) in (1, 1360)
        db.execute("REINDEX INDEX attn")
        assert problems(db) == []


def test_a_destroyed_metapage_is_an_error(damaged: Callable[..., Connection]) -> None:
    with damaged(lambda content: overwrite(content, HEADER, b"\0\0\0\0")) as db:
        for statement in (
            "SELECT * FROM ruvector_attention_index_check('attn')",
            "INSERT INTO documents VALUES (1, '{1,2}')",
        ):
            with pytest.raises(psycopg.errors.IndexCorrupted, match="is no metapage of an attention index"):
                db.execute(statement.encode())
        db.execute("REINDEX INDEX attn")
        db.execute("INSERT INTO documents VALUES (1, '{1,2}')")
        assert problems(db) == []


def test_an_index_left_invalid_is_not_checked(own_server: Server) -> None:
    with psycopg.connect(own_server.uri(), autocommit=True) as db:
        db.execute("CREATE TABLE documents (id int, embedding real[])")
        db.execute("INSERT INTO documents VALUES (1, '{1,2,3}')")
        with pytest.raises(psycopg.Error):
            db.execute(
                "CREATE INDEX CONCURRENTLY attn ON documents"
                " USING ruvector_attention (embedding) WITH (num_heads = 2)"
            )
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match='index "attn" is not valid'):
            db.execute("SELECT ruvector_attention_index_check('attn')")
