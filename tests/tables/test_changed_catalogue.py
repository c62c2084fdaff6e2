"""What a session has learned of the catalogue is not believed once the catalogue says otherwise.

Every test searches until the session knows the answers, changes what they rest on, and searches again; each
does so with plain statements and with one that was prepared and planned before the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Found = tuple[list[int], str, str]
Search = Callable[[], Found]

pytestmark = pytest.mark.bundled

SEARCH = """
SELECT id, vector_column, id_column FROM mha_search
WHERE table_name = 'docs' AND query = '{1,0,0,0}' AND num_heads = 1
"""


@pytest.fixture
def docs(db: Connection) -> Connection:
    """Two rows, of which the first is the best."""
    db.prepare_threshold = None  # what psycopg prepares by itself it also deallocates, with all else
    db.execute("""
        CREATE TABLE docs (id int PRIMARY KEY, other int NOT NULL UNIQUE, v real[]);
        INSERT INTO docs VALUES (1, 20, '{1,0,0,0}'), (2, 10, '{0,1,0,0}');
    """)
    return db


@pytest.fixture(params=["plain", "prepared"])
def search(docs: Connection, request: pytest.FixtureRequest) -> Search:
    """The ids that a search finds, best first, with the columns that it chose; it has run several times."""
    statement = SEARCH
    if request.param == "prepared":
        docs.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE search AS {SEARCH}".encode())
        statement = "EXECUTE search"

    def run() -> Found:
        rows = docs.execute(statement.encode()).fetchall()
        return [row[0] for row in rows], rows[0][1], rows[0][2]

    for _ in range(3):
        assert run() == ([1, 2], "v", "id")
    return run


@pytest.fixture
def roles(docs: Connection) -> Iterator[None]:
    """The roles `changed_one` and `changed_two`, which may read nothing yet."""
    docs.execute("CREATE ROLE changed_one; CREATE ROLE changed_two")
    yield
    docs.execute("RESET ROLE; DROP OWNED BY changed_one, changed_two; DROP ROLE changed_one, changed_two")


def refused(search: Search) -> tuple[str | None, str | None]:
    """SQLSTATE and message of a search that must fail."""
    with pytest.raises(psycopg.Error) as caught:
        search()
    return caught.value.sqlstate, caught.value.diag.message_primary


def test_a_vector_column_is_renamed(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs RENAME COLUMN v TO w")
    assert search() == ([1, 2], "w", "id")
    docs.execute("ALTER TABLE docs RENAME COLUMN w TO v")
    assert search() == ([1, 2], "v", "id")


def test_another_column_takes_the_name_of_the_vector_column(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs ADD w text; ALTER TABLE docs RENAME v TO u")
    docs.execute("ALTER TABLE docs RENAME w TO v; UPDATE docs SET v = 'text'")
    assert search() == ([1, 2], "u", "id")


def test_an_id_column_is_renamed(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs RENAME COLUMN id TO number")
    assert search() == ([1, 2], "v", "number")


def test_a_column_of_the_same_name_takes_the_place_of_another(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs DROP COLUMN v; ALTER TABLE docs ADD v real[] DEFAULT '{0,1,0,0}'")
    docs.execute("UPDATE docs SET v = '{1,0,0,0}' WHERE id = 2")
    assert search() == ([2, 1], "v", "id")


def test_a_second_vector_column_comes_and_the_first_one_goes(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs ADD w real[] DEFAULT '{0,1,0,0}'")
    assert refused(search) == ("22023", "docs has 2 vector columns: v, w")
    docs.execute("UPDATE docs SET w = '{1,0,0,0}' WHERE id = 2; ALTER TABLE docs DROP COLUMN v")
    assert search() == ([2, 1], "w", "id")
    docs.execute("ALTER TABLE docs DROP COLUMN w")
    assert refused(search) == ("22023", "docs has no column of a vector type")


def test_a_vector_column_changes_its_type(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs ALTER v TYPE text USING v::text")
    assert refused(search) == ("22023", "docs has no column of a vector type")
    docs.execute("ALTER TABLE docs ALTER v TYPE float8[] USING ARRAY[2 - id, id - 1, 0, 0]")
    assert search() == ([1, 2], "v", "id")


def test_an_id_column_changes_its_type(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs ALTER id TYPE text USING id::text")
    assert refused(search) == ("0A000", "docs.id has type text, the ids of this table have type bigint")
    docs.execute("ALTER TABLE docs ALTER id TYPE bigint USING id::bigint + 4000000000")
    assert search() == ([4000000001, 4000000002], "v", "id")


def test_another_column_becomes_the_primary_key(docs: Connection, search: Search) -> None:
    docs.execute("ALTER TABLE docs DROP CONSTRAINT docs_pkey, ADD PRIMARY KEY (other)")
    assert search() == ([20, 10], "v", "other")
    docs.execute("ALTER TABLE docs DROP CONSTRAINT docs_pkey")
    assert search() == ([1, 2], "v", "id")


def test_a_table_is_dropped_and_another_takes_its_name(docs: Connection, search: Search) -> None:
    docs.execute("DROP TABLE docs")
    assert refused(search) == ("42P01", 'relation "docs" does not exist')
    docs.execute("CREATE TABLE docs (v text, number bigint PRIMARY KEY, u real[])")
    docs.execute("INSERT INTO docs VALUES ('', 7, '{1,0,0,0}')")
    assert search() == ([7], "u", "number")


def test_the_search_path_leads_to_a_table_of_the_same_name(docs: Connection, search: Search) -> None:
    docs.execute("""
        CREATE SCHEMA first; CREATE TABLE first.docs (number int PRIMARY KEY, u real[]);
        INSERT INTO first.docs VALUES (5, '{1,0,0,0}')
    """)
    for _ in range(2):
        docs.execute("SET search_path = first, public")
        assert search() == ([5], "u", "number")
        docs.execute("SET search_path = public")
        assert search() == ([1, 2], "v", "id")


def test_a_privilege_is_taken_away(docs: Connection, search: Search, roles: None) -> None:
    docs.execute("GRANT SELECT (id, v) ON docs TO changed_one; SET ROLE changed_one")
    assert search() == search() == ([1, 2], "v", "id")
    docs.execute("RESET ROLE; REVOKE SELECT (v) ON docs FROM changed_one; SET ROLE changed_one")
    assert refused(search) == ("22023", "docs has no column of a vector type")
    docs.execute("RESET ROLE; REVOKE SELECT (id) ON docs FROM changed_one; SET ROLE changed_one")
    assert refused(search) == ("42501", "permission denied for table docs")


def test_another_role_may_read_another_column(docs: Connection, search: Search, roles: None) -> None:
    docs.execute("ALTER TABLE docs ADD w real[]; UPDATE docs SET w = ARRAY[id - 1, 2 - id, 0, 0]")
    docs.execute("GRANT SELECT (id, v) ON docs TO changed_one; GRANT SELECT (id, w) ON docs TO changed_two")
    for _ in range(2):
        docs.execute("SET ROLE changed_one")
        assert search() == ([1, 2], "v", "id")
        docs.execute("SET ROLE changed_two")
        assert search() == ([2, 1], "w", "id")
        docs.execute("RESET ROLE")
        assert refused(search) == ("22023", "docs has 2 vector columns: v, w")
