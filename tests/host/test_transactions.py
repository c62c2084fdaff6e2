"""A search sees what its own transaction sees, and leaves the transaction as PostgreSQL would."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection

Search = Callable[..., list[int]]
Failure = Callable[..., psycopg.Error]
Connect = Callable[..., Connection[Any]]
SEARCH = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0}' AND num_heads = 1"


def test_uncommitted_rows_are_seen_by_their_own_transaction_only(
    documents: Connection[Any], connect: Connect, search: Search
) -> None:
    other = connect()
    documents.execute(
        "BEGIN; INSERT INTO documents VALUES (4, '{2,0}');"
        "UPDATE documents SET embedding = '{-1,0}' WHERE id = 3"
    )
    assert search(documents) == [4, 1, 2, 3]
    assert search(other) == [1, 3, 2]
    documents.execute("COMMIT")
    assert search(other) == [4, 1, 2, 3]


def test_changes_before_and_after_each_command(documents: Connection[Any], search: Search) -> None:
    documents.execute("BEGIN; DELETE FROM documents WHERE id = 1")
    assert search(documents) == [3, 2]
    documents.execute("DELETE FROM documents")
    assert search(documents) == []
    documents.execute("ROLLBACK")
    assert search(documents) == [1, 3, 2]


def test_savepoints(documents: Connection[Any], search: Search) -> None:
    documents.execute("BEGIN; SAVEPOINT s; INSERT INTO documents VALUES (4, '{2,0}')")
    assert search(documents) == [4, 1, 3, 2]
    documents.execute("ROLLBACK TO s")
    assert search(documents) == [1, 3, 2]
    documents.execute("TRUNCATE documents")
    assert search(documents) == []
    documents.execute("ROLLBACK TO s; RELEASE s; COMMIT")
    assert search(documents) == [1, 3, 2]


def test_a_search_reads_the_snapshot_of_its_statement(documents: Connection[Any], search: Search) -> None:
    rows = documents.execute(
        f"""
        WITH added AS (INSERT INTO documents VALUES (4, '{{2,0}}') RETURNING id)
        SELECT s.id FROM ({SEARCH}) s, added
    """.encode()
    ).fetchall()
    assert rows == [(1,), (3,), (2,)]
    assert search(documents) == [4, 1, 3, 2]


def test_a_repeatable_read_snapshot_is_kept(
    documents: Connection[Any], connect: Connect, search: Search
) -> None:
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        other = connect()
        documents.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        assert search(documents) == [1, 3, 2]
        other.execute("INSERT INTO documents VALUES (4, '{2,0}')")
        assert search(documents) == [1, 3, 2]
        documents.execute("COMMIT")
        assert search(documents) == [4, 1, 3, 2]
        documents.execute("DELETE FROM documents WHERE id = 4")


def test_a_cursor_keeps_its_snapshot_and_scrolls(documents: Connection[Any]) -> None:
    documents.execute(f"BEGIN; DECLARE c SCROLL CURSOR FOR {SEARCH}".encode())
    assert documents.execute("FETCH 1 FROM c").fetchall() == [(1,)]
    documents.execute("DELETE FROM documents")
    assert documents.execute("FETCH ALL FROM c").fetchall() == [(3,), (2,)]
    assert documents.execute("FETCH BACKWARD ALL FROM c").fetchall() == [(2,), (3,), (1,)]
    documents.execute("MOVE ABSOLUTE 1 FROM c")
    assert documents.execute("FETCH 1 FROM c").fetchall() == [(3,)]
    documents.execute("CLOSE c; ROLLBACK")


def test_a_cursor_goes_on_after_rollback_to_a_later_savepoint(documents: Connection[Any]) -> None:
    documents.execute(f"BEGIN; DECLARE c CURSOR FOR {SEARCH}; SAVEPOINT s".encode())
    assert documents.execute("FETCH 2 FROM c").fetchall() == [(1,), (3,)]
    documents.execute("ROLLBACK TO s")
    assert documents.execute("FETCH ALL FROM c").fetchall() == [(2,)]
    documents.execute("COMMIT")


def test_a_cursor_goes_with_the_savepoint_it_was_opened_under(
    documents: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute(f"BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR {SEARCH}".encode())
    assert documents.execute("FETCH 1 FROM c").fetchall() == [(1,)]
    documents.execute("ROLLBACK TO s")
    assert failure(documents, "FETCH 1 FROM c").sqlstate == "34000"
    documents.execute("ROLLBACK TO s")
    assert search(documents) == [1, 3, 2]
    documents.execute("COMMIT")


def test_a_cursor_with_hold_outlives_its_transaction(documents: Connection[Any]) -> None:
    documents.execute(f"BEGIN; DECLARE c CURSOR WITH HOLD FOR {SEARCH}".encode())
    assert documents.execute("FETCH 1 FROM c").fetchall() == [(1,)]
    documents.execute("COMMIT; DROP TABLE documents")
    assert documents.execute("FETCH ALL FROM c").fetchall() == [(3,), (2,)]
    documents.execute("CLOSE c")


def test_an_open_cursor_is_dropped_with_its_transaction(documents: Connection[Any], search: Search) -> None:
    for _ in range(20):
        documents.execute(f"BEGIN; DECLARE c CURSOR FOR {SEARCH}; FETCH 1 FROM c; ROLLBACK".encode())
    assert search(documents) == [1, 3, 2]


def test_an_error_of_the_source_comes_out_as_it_is(
    documents: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute("""
        CREATE VIEW divided AS SELECT id / (id - 2) AS id, embedding FROM documents;
        CREATE FUNCTION odd(int) RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN
                RAISE EXCEPTION 'odd %', $1 USING ERRCODE = 'UA123', DETAIL = 'what', HINT = 'why';
            END $$;
        CREATE VIEW raised AS SELECT odd(id) AS id, embedding FROM documents
    """)
    error = failure(documents, SEARCH.replace("'documents'", "'divided'"))
    assert (error.sqlstate, error.diag.message_primary) == ("22012", "division by zero")
    error = failure(documents, SEARCH.replace("'documents'", "'raised'"))
    diag = error.diag
    assert (error.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint) == (
        "UA123",
        "odd 1",
        "what",
        "why",
    )
    assert search(documents) == [1, 3, 2]


def test_a_caught_error_leaves_the_session_usable(documents: Connection[Any], search: Search) -> None:
    documents.execute(
        f"""
        CREATE VIEW divided AS SELECT id / (id - 2) AS id, embedding FROM documents;
        CREATE FUNCTION caught(source text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM {SEARCH.replace("SELECT id", "id").replace("'documents'", "source")};
            RETURN 'fine';
        EXCEPTION WHEN OTHERS THEN
            RETURN SQLSTATE;
        END $$
    """.encode()
    )
    documents.execute("BEGIN")
    for source, answer in (
        ("divided", "22012"),
        ("documents", "fine"),
        ("nowhere", "42P01"),
        ("documents", "fine"),
    ) * 3:
        assert documents.execute("SELECT caught(%s)", [source]).fetchall() == [(answer,)]
    assert search(documents) == [1, 3, 2]
    documents.execute("COMMIT")


def test_a_search_of_itself_ends_with_an_error(
    documents: Connection[Any], search: Search, failure: Failure
) -> None:
    documents.execute("""
        CREATE FOREIGN TABLE itself (id bigint, head_scores real[]) SERVER ruattn
        OPTIONS (operation 'mha_search', table_name 'itself', query '{1,0}', num_heads '2')
    """)
    error = failure(documents, "SELECT * FROM itself")
    assert (error.sqlstate, str(error.diag.message_primary)[:22]) == ("54001", "public.itself is read ")
    assert search(documents) == [1, 3, 2]


def test_a_table_dropped_by_another_session_between_two_queries(
    documents: Connection[Any], connect: Connect, search: Search, failure: Failure
) -> None:
    documents.execute(f"PREPARE kept AS {SEARCH}".encode())
    assert len(documents.execute("EXECUTE kept").fetchall()) == 3
    connect().execute("DROP TABLE documents")
    assert failure(documents, "EXECUTE kept").sqlstate == "42P01"
    documents.execute(
        "CREATE TABLE documents (v real[], id bigint); INSERT INTO documents VALUES ('{1,0}', 7)"
    )
    assert documents.execute("EXECUTE kept").fetchall() == [(7,)]
    assert search(documents) == [7]


def test_parallel_and_read_only_transactions(documents: Connection[Any], search: Search) -> None:
    documents.execute("BEGIN READ ONLY")
    assert search(documents) == [1, 3, 2]
    documents.execute("COMMIT")
    documents.execute(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
    )
    rows = documents.execute(
        "SELECT d.id, (SELECT s.id FROM mha_search s WHERE s.table_name = 'documents'"
        " AND s.query = d.embedding AND s.num_heads = 1 AND s.temperature = 0.01 AND s.k = 1)"
        " FROM documents d WHERE d.id < 3 ORDER BY d.id"
    ).fetchall()
    assert rows == [(1, 1), (2, 2)]


def test_an_error_keeps_its_origin_through_searches_inside_each_other(
    documents: Connection[Any], failure: Failure
) -> None:
    documents.execute("""
        CREATE VIEW divided AS SELECT id / (id - 2) AS id, embedding FROM documents;
        CREATE FOREIGN TABLE own (id int, embedding real[], query attention_vector)
            SERVER ruattn OPTIONS (operation 'mha_search', table_name 'divided', num_heads '1');
        CREATE VIEW nested AS SELECT id, embedding FROM own WHERE query = '{1,0}'
    """)
    error = failure(documents, SEARCH.replace("'documents'", "'nested'"))
    assert (error.diag.message_primary, error.diag.source_file) == ("division by zero", "int.c")
