"""Rows that a search cannot use are named; those without a vector are passed over and counted."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

SEARCH = "SELECT id FROM mha_search WHERE query = '{1,0}' AND num_heads = 1 AND table_name = "
Refused = Callable[..., tuple[str | None, str | None, str | None]]


ROW = "bad.v of the row with id 2"
CORRECT = "Correct the row, or leave it out with a view."
BAD_ROWS = {
    "'{NaN,1}'": ("22000", f"{ROW} has an element that is NaN or infinite", CORRECT),
    "'{1,Infinity}'": ("22000", f"{ROW} has an element that is NaN or infinite", CORRECT),
    "'{-Infinity,1}'": ("22000", f"{ROW} has an element that is NaN or infinite", CORRECT),
    "'{1,NULL}'": ("22004", f"{ROW} has a NULL element", CORRECT),
    "'{}'": ("22000", f"{ROW} is empty", CORRECT),
    "'{{1,0},{0,1}}'": ("22000", f"{ROW} has more than one dimension", CORRECT),
    "'{1,2,3}'": (
        "22000",
        f"{ROW} has 3 dimensions, the rows before it have 2",
        "All vectors of one column must have the same number of dimensions.",
    ),
}


@pytest.mark.parametrize("type_name", ["real[]", "double precision[]"])
def test_rows_with_bad_vectors_are_named(db: Connection[Any], type_name: str, refused: Refused) -> None:
    db.execute(f"CREATE TABLE bad (id int, v {type_name})".encode())
    for vector, expected in BAD_ROWS.items():
        db.execute(
            f"TRUNCATE bad; INSERT INTO bad VALUES (1, '{{1,0}}'), (2, {vector}), (3, '{{0,1}}')".encode()
        )
        assert refused("bad") == expected
        db.execute("DELETE FROM bad WHERE id = 2")
        assert len(db.execute(f"{SEARCH}'bad'".encode()).fetchall()) == 2


def test_rows_beyond_single_precision_are_named(db: Connection[Any], refused: Refused) -> None:
    db.execute("""CREATE TABLE bad (id int, v double precision[]); INSERT INTO bad VALUES (2, '{1e39,0}')""")
    assert refused("bad") == ("22003", f"{ROW} has an element out of the range of real", CORRECT)


@pytest.mark.usefixtures("pgvector")
def test_ragged_pgvector_rows_are_named(db: Connection[Any], refused: Refused) -> None:
    db.execute("CREATE EXTENSION vector")
    for type_name in ("vector", "halfvec"):
        db.execute(f"CREATE TABLE bad (id int, v {type_name})".encode())
        db.execute("INSERT INTO bad VALUES (1, '[1,0]'), (2, '[1]')")
        assert refused("bad")[:2] == ("22000", f"{ROW} has 1 dimensions, the rows before it have 2")
        db.execute("DROP TABLE bad")


def test_the_query_is_of_another_width(two_documents: Connection[Any]) -> None:
    with pytest.raises(psycopg.Error, match=r"query has 3 dimensions, documents\.embedding has 2") as caught:
        two_documents.execute(
            "SELECT FROM mha_search WHERE table_name = 'documents' AND query = '{1,2,3}' AND num_heads = 1"
        )
    assert caught.value.sqlstate == "22023"


def test_rows_without_an_id(db: Connection[Any], refused: Refused) -> None:
    db.execute("CREATE TABLE bad (id int, v real[]); INSERT INTO bad VALUES (1, '{1,0}'), (NULL, '{0,1}')")
    assert refused("bad") == (
        "22004",
        "the id of row 2 of bad.v is NULL",
        "Leave such rows out with a view, or name another id_column.",
    )


def test_ids_may_repeat_except_where_one_row_is_meant(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE twice (id int, v real[])")
    db.execute("INSERT INTO twice VALUES (1, '{1,0}'), (1, '{0,1}'), (2, '{1,1}')")
    assert sorted(db.execute(f"{SEARCH}'twice'".encode()).fetchall()) == [(1,), (1,), (2,)]
    with pytest.raises(psycopg.Error, match=r"query_id 1 means 2 rows, twice\.id is not unique"):
        db.execute("SELECT FROM mha_search WHERE table_name = 'twice' AND query_id = 1")


def test_a_query_id_without_a_vector(two_documents: Connection[Any]) -> None:
    two_documents.execute("INSERT INTO documents VALUES (3, 'c', NULL)")
    for query_id, message in {
        9: "query_id 9 is not in documents.id",
        3: "query_id 3 has no vector, documents.embedding is NULL there",
    }.items():
        with pytest.raises(psycopg.Error, match=message) as caught:
            two_documents.execute(
                "SELECT FROM mha_search WHERE table_name = 'documents' AND query_id = %s", [query_id]
            )
        assert caught.value.sqlstate == "22023"


def test_no_rows_and_only_null_vectors_give_no_rows(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE empty (id int, v real[])")
    assert db.execute(f"{SEARCH}'empty'".encode()).fetchall() == []
    db.execute("INSERT INTO empty VALUES (1, NULL), (NULL, NULL)")
    assert db.execute(f"{SEARCH}'empty'".encode()).fetchall() == []


@pytest.mark.bundled
def test_null_vectors_are_no_keys_and_are_counted(two_documents: Connection[Any]) -> None:
    two_documents.execute("INSERT INTO documents SELECT n, 'n', NULL FROM generate_series(10, 16) n")
    assert len(two_documents.execute(f"{SEARCH}'documents'".encode()).fetchall()) == 2
    lines = [
        row[0].strip()
        for row in two_documents.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {SEARCH}'documents'".encode())
    ]
    assert "Rows Read: 2" in lines
    assert "NULL Vectors Skipped: 7" in lines
