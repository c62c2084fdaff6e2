"""Every kind of relation and column type that a search can read."""

from typing import Any

import pytest
from psycopg import Connection

# three rows whose order for the query {1,0} is 1, 3, 2
VALUES = "(1, '{1,0}'), (2, '{0,1}'), (3, '{0.6,0.8}')"
ANSWER = [1, 3, 2]


def search(db: Connection[Any], table: str, clauses: str = "") -> list[int]:
    """Ids of a search in their order of arrival."""
    sql = f"SELECT id FROM mha_search WHERE table_name = %s AND query = '{{1,0}}' AND num_heads = 1{clauses}"
    return [row[0] for row in db.execute(sql.encode(), [table])]


@pytest.fixture
def documents(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE documents (id int PRIMARY KEY, embedding real[])")
    db.execute(f"INSERT INTO documents VALUES {VALUES}".encode())
    return db


@pytest.mark.bundled
def test_kinds_of_relations(documents: Connection[Any]) -> None:
    documents.execute(
        f"""
        CREATE VIEW a_view AS SELECT * FROM documents;
        CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM documents;
        CREATE TEMP TABLE a_temp AS SELECT * FROM documents;
        CREATE UNLOGGED TABLE an_unlogged AS SELECT * FROM documents;
        CREATE TABLE a_parent (LIKE documents);
        CREATE TABLE a_child () INHERITS (a_parent);
        INSERT INTO a_parent VALUES (1, '{{1,0}}');
        INSERT INTO a_child VALUES (2, '{{0,1}}'), (3, '{{0.6,0.8}}');
        CREATE TABLE a_partitioned (id int PRIMARY KEY, embedding real[]) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF a_partitioned FOR VALUES FROM (1) TO (3);
        CREATE TABLE p2 PARTITION OF a_partitioned FOR VALUES FROM (3) TO (9);
        INSERT INTO a_partitioned VALUES {VALUES};
    """.encode()
    )
    for name in ("a_view", "a_matview", "a_temp", "an_unlogged", "a_parent", "a_partitioned"):
        assert search(documents, name) == ANSWER, name
    assert search(documents, "a_child") == [3, 2]
    assert search(documents, "p1") == [1, 2]


def test_a_foreign_table_of_our_own_as_the_source(documents: Connection[Any]) -> None:
    documents.execute("""
        CREATE FOREIGN TABLE inner_search (id bigint, head_scores real[], query attention_vector, k int)
        SERVER ruattn OPTIONS (operation 'mha_search', table_name 'documents', query '{1,0}', num_heads '2')
    """)
    scores = documents.execute("SELECT id, head_scores FROM inner_search").fetchall()
    assert [row[0] for row in scores] == ANSWER
    assert all(len(row[1]) == 2 for row in scores)
    assert sorted(search(documents, "inner_search", " AND vector_column = 'head_scores'")) == sorted(ANSWER)


def check_type(db: Connection[Any], type_name: str) -> None:
    """A column of that type is searched."""
    through = "vector" if "vec" in type_name else "real[]"
    db.execute(
        f"CREATE TABLE typed AS SELECT id, embedding::{through}::{type_name} AS v FROM documents".encode()
    )
    assert search(db, "typed") == ANSWER, type_name
    db.execute("DROP TABLE typed")


def test_types_of_vectors(documents: Connection[Any]) -> None:
    documents.execute(
        "CREATE DOMAIN small AS real[] CHECK (array_length(VALUE, 1) = 2); CREATE DOMAIN smaller AS small"
    )
    for name in ("real[]", "double precision[]", "real[2]", "small", "smaller"):
        check_type(documents, name)


@pytest.mark.usefixtures("pgvector")
def test_types_of_pgvector(documents: Connection[Any]) -> None:
    documents.execute("CREATE EXTENSION vector; CREATE DOMAIN vec AS vector(2)")
    for name in ("vector", "vector(2)", "halfvec", "halfvec(2)", "vec"):
        check_type(documents, name)


@pytest.mark.usefixtures("pgvector")
def test_types_give_the_same_numbers(documents: Connection[Any]) -> None:
    documents.execute("""
        CREATE EXTENSION vector;
        CREATE TABLE many AS
        SELECT id, real, real::float8[] AS double, real::vector AS vector, real::halfvec AS halfvec
        FROM (SELECT id, array_agg((sin(id * 100 + n) / 8)::real ORDER BY n) AS real
              FROM generate_series(1, 50) id, generate_series(1, 16) n GROUP BY id) made
    """)

    def scores(column: str) -> list[tuple[Any, ...]]:
        return documents.execute(
            "SELECT id, score, logit FROM mha_search WHERE table_name = 'many' AND query_id = 7"
            " AND vector_column = %s AND temperature = 0.01",
            [column],
        ).fetchall()

    assert scores("double") == scores("real")
    assert scores("vector") == scores("real")
    half = {row[0]: row[1] for row in scores("halfvec")}
    assert half == pytest.approx({row[0]: row[1] for row in scores("real")}, rel=0.02)
    documents.execute(
        "ALTER TABLE many ADD rounded real[]; UPDATE many SET rounded = halfvec::vector::real[]"
    )
    assert scores("halfvec") == scores("rounded")


@pytest.mark.usefixtures("pgvector")
def test_halfvec_extremes_are_read_exactly(documents: Connection[Any]) -> None:
    values = [65504, -65504, 6.103515625e-05, 5.9604644775390625e-08, -6.097555160522461e-05, 0, 1.0009765625]
    documents.execute("CREATE EXTENSION vector; CREATE TABLE half (id int, v halfvec(1))")
    for number, value in enumerate(values):
        documents.execute("INSERT INTO half VALUES (%s, %s)", [number, f"[{value!r}]"])
    rows = documents.execute(
        "SELECT logit::float8 FROM mha_search"
        " WHERE table_name = 'half' AND query = '{1}' AND num_heads = 1 ORDER BY id"
    ).fetchall()
    assert [row[0] for row in rows] == values


def test_types_of_ids(documents: Connection[Any]) -> None:
    documents.execute("CREATE DOMAIN positive AS smallint CHECK (VALUE > 0)")
    columns = (
        "smallint",
        "integer",
        "bigint",
        "positive",
        "integer GENERATED ALWAYS AS IDENTITY",
        "bigint GENERATED BY DEFAULT AS IDENTITY",
        "serial",
    )
    for number, column in enumerate(columns):
        documents.execute(
            f"""
            CREATE TABLE i{number} (id {column}, v real[]);
            INSERT INTO i{number} (id, v) OVERRIDING SYSTEM VALUE VALUES {VALUES}
        """.encode()
        )
        assert search(documents, f"i{number}") == ANSWER, column
    documents.execute(
        f"""
        CREATE TABLE generated (n int, id bigint GENERATED ALWAYS AS (n * 5000000000 + 7) STORED, v real[]);
        INSERT INTO generated (n, v) VALUES {VALUES};
        CREATE TABLE negative AS SELECT -id AS id, v FROM generated
    """.encode()
    )
    assert search(documents, "generated") == [5000000007, 15000000007, 10000000007]
    assert search(documents, "negative", " AND candidates = '{-5000000007}'") == [-5000000007]


def test_the_extreme_ids(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TABLE t (id bigint, v real[]);
        INSERT INTO t VALUES (9223372036854775807, '{1,0}'), (-9223372036854775808, '{0,1}')
    """)
    assert search(db, "t") == [2**63 - 1, -(2**63)]
    assert search(db, "t", " AND candidates = '{-9223372036854775808}'") == [-(2**63)]


def test_the_id_is_the_primary_key_or_else_a_column_of_that_name(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TABLE keyed (id int, number int PRIMARY KEY, v real[]);
        INSERT INTO keyed VALUES (10, 1, '{1,0}'), (20, 2, '{0,1}');
        CREATE TABLE paired (id int, a int, b int, v real[], PRIMARY KEY (a, b));
        INSERT INTO paired SELECT id, number, number, v FROM keyed
    """)
    assert search(db, "keyed") == [1, 2]
    assert search(db, "keyed", " AND id_column = 'id'") == [10, 20]
    assert search(db, "paired") == [10, 20]
    assert search(db, "paired", " AND id_column = 'b'") == [1, 2]


def test_dropped_columns_before_the_id_and_the_vector(db: Connection[Any]) -> None:
    db.execute(
        f"""
        CREATE TABLE t (a text, id int PRIMARY KEY, b text, c real[], v real[]);
        INSERT INTO t (id, v) VALUES {VALUES};
        ALTER TABLE t DROP a, DROP b, DROP c, ADD d text DEFAULT 'x'
    """.encode()
    )
    assert search(db, "t") == ANSWER
    db.execute("ALTER TABLE t DROP v, ADD w real[]; UPDATE t SET w = '{1,0}' WHERE id = 2")
    assert search(db, "t") == [2]


def test_the_widest_table(db: Connection[Any]) -> None:
    others = ", ".join(f"c{n} int" for n in range(1598))
    db.execute(f"CREATE TABLE wide ({others}, id int, v real[])".encode())
    db.execute(f"INSERT INTO wide (id, v) VALUES {VALUES}".encode())
    assert search(db, "wide") == ANSWER


def test_toasted_and_compressed_vectors(db: Connection[Any]) -> None:
    for table, element in {"compressible": "id", "noise": "sin(id * 9999 + n)"}.items():
        db.execute(
            f"""
            CREATE TABLE {table} AS
            SELECT id, array_agg(({element})::real) AS v, sum(({element})::real::float8) AS sum
            FROM generate_series(1, 20) id, generate_series(1, 3000) n GROUP BY id
        """.encode()
        )
        rows = db.execute(
            f"""
            SELECT s.logit, t.sum FROM {table} t JOIN mha_search s USING (id)
            WHERE table_name = '{table}' AND num_heads = 1 AND query = array_fill(1::real, ARRAY[3000])
        """.encode()
        ).fetchall()
        assert len(rows) == 20
        for logit, total in rows:
            assert logit == pytest.approx(total / 3000**0.5, rel=1e-4, abs=1e-3)
