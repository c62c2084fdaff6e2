"""What a session has learned of indexes, OPTIONS and weights is not believed once they are other ones.

Every test searches until the session knows the answers, changes what they rest on, and searches again; each
does so with plain statements and with one that was prepared and planned before the change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
Repeated = Callable[[str], Callable[[], Rows]]

pytestmark = pytest.mark.bundled

IN_EFFECT = "SELECT DISTINCT attention_type, num_heads FROM mha_search WHERE table_name = 'docs' AND "
INDEX = "CREATE INDEX {} ON docs USING ruvector_attention ({}) WITH ({})"


@pytest.fixture
def docs(db: Connection) -> Connection:
    """Three rows of four dimensions."""
    db.prepare_threshold = None  # what psycopg prepares by itself it also deallocates, with all else
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, v real[])")
    db.execute("INSERT INTO docs SELECT i, ARRAY[i, 1, 2, 3]::real[] FROM generate_series(1, 3) i")
    return db


@pytest.fixture(params=["plain", "prepared"])
def repeated(docs: Connection, request: pytest.FixtureRequest) -> Repeated:
    """Makes of a statement what runs it, and has run it several times."""

    def of(statement: str) -> Callable[[], Rows]:
        if request.param == "prepared":
            docs.execute(
                f"SET plan_cache_mode = force_generic_plan; PREPARE repeated AS {statement}".encode()
            )
            statement = "EXECUTE repeated"

        def run() -> Rows:
            return docs.execute(statement.encode()).fetchall()

        assert run() == run() == run()
        return run

    return of


def test_an_index_with_other_defaults_comes_and_goes(docs: Connection, repeated: Repeated) -> None:
    docs.execute(INDEX.format("one", "v", "attention_type = 'cosine', num_heads = 2").encode())
    in_effect = repeated(f"{IN_EFFECT} query = '{{1,0,0,0}}'")
    assert in_effect() == [("cosine", 2)]
    docs.execute("DROP INDEX one")
    with pytest.raises(psycopg.Error, match="num_heads is 8, which does not divide"):
        in_effect()
    docs.execute(INDEX.format("one", "v", "attention_type = 'scaled_dot', num_heads = 4").encode())
    assert in_effect() == [("scaled_dot", 4)]
    docs.execute(INDEX.format("two", "v", "attention_type = 'scaled_dot', num_heads = 2").encode())
    with pytest.raises(psycopg.Error, match="different values of num_heads: one 4, two 2"):
        in_effect()


def test_an_index_declares_something_else(docs: Connection, repeated: Repeated) -> None:
    docs.execute(INDEX.format("one", "v", "attention_type = 'cosine', num_heads = 2").encode())
    in_effect = repeated(f"{IN_EFFECT} query = '{{1,0,0,0}}'")
    docs.execute("ALTER INDEX one SET (num_heads = 4)")
    assert in_effect() == [("cosine", 4)]
    docs.execute("ALTER INDEX one RESET (attention_type, num_heads); REINDEX INDEX one")
    with pytest.raises(psycopg.Error, match="num_heads is 8, which does not divide"):
        in_effect()


def test_options_of_a_foreign_table_change(docs: Connection, repeated: Repeated) -> None:
    docs.execute("""
        CREATE TABLE others AS SELECT 7 AS id, '{1,0,0,0}'::real[] AS v;
        CREATE FOREIGN TABLE own (id int, attention_type text, query attention_vector) SERVER ruattn
        OPTIONS (operation 'mha_search', table_name 'docs', attention_type 'cosine', k '1')
    """)
    search = repeated("SELECT id, attention_type FROM own WHERE query = '{1,0,0,0}'")
    assert search() == [(3, "cosine")]
    docs.execute("ALTER FOREIGN TABLE own OPTIONS (SET k '2', SET attention_type 'gaussian_kernel')")
    assert search() == [(1, "gaussian_kernel"), (2, "gaussian_kernel")]
    docs.execute("ALTER FOREIGN TABLE own OPTIONS (SET table_name 'others', DROP k, DROP attention_type)")
    with pytest.raises(psycopg.Error, match="num_heads is 8"):
        search()
    docs.execute("ALTER FOREIGN TABLE own OPTIONS (ADD num_heads '1')")
    assert search() == [(7, "multi_head")]


def test_a_column_of_the_source_comes_and_goes(docs: Connection, repeated: Repeated) -> None:
    docs.execute("""
        ALTER TABLE docs ADD title text DEFAULT 'old';
        CREATE FOREIGN TABLE own (id int, title text, query attention_vector) SERVER ruattn
        OPTIONS (operation 'mha_search', table_name 'docs', num_heads '1', k '1')
    """)
    search = repeated("SELECT id, title FROM own WHERE query = '{1,0,0,0}'")
    docs.execute("ALTER TABLE docs DROP COLUMN title")
    with pytest.raises(psycopg.Error, match='column "title" of relation "docs" does not exist'):
        search()
    docs.execute("ALTER TABLE docs ADD title text DEFAULT 'new'")
    assert search() == [(3, "new")]


def test_a_set_of_weights_is_added(docs: Connection, repeated: Repeated) -> None:
    turn = "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES (%s, 'W_k', '{4,4}', %s)"
    same, negative = ([sign * (row == column) for row in range(4) for column in range(4)] for sign in (1, -1))
    docs.execute(turn, ["same", same])
    best = "SELECT id FROM mha_search WHERE table_name = 'docs' AND query = '{1,0,0,0}' AND num_heads = 1"
    search = repeated(f"{best} AND k = 1 AND model = 'same'")
    assert search() == [(3,)]
    docs.execute("DELETE FROM ruattn_weights")
    with pytest.raises(psycopg.Error, match='model "same" does not exist'):
        search()
    docs.execute(turn, ["other", same])
    docs.execute(turn, ["same", negative])
    assert search() == [(1,)]
    assert docs.execute(f"{best} AND k = 1 AND model = 'other'".encode()).fetchall() == [(3,)]
