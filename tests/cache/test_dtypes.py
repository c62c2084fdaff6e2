"""Copies in fewer bits answer as float32 does, and say what they cost."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import psycopg
import pytest

Connection = psycopg.Connection[Any]

DTYPES = ("int8", "float16")


@pytest.fixture
def docs(db: Connection) -> Connection:
    db.execute("CREATE TABLE docs (id int PRIMARY KEY, vec real[])")
    vectors = np.random.default_rng(5).standard_normal((3000, 48))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with db.cursor().copy("COPY docs FROM STDIN") as copy:
        for number, vector in enumerate(vectors.astype(np.float32).tolist(), 1):
            copy.write_row((number, "{" + ",".join(map(repr, vector)) + "}"))
    return db


def search(db: Connection, k: int, query: int = 7, more: str = "") -> list[Any]:
    return db.execute(
        "SELECT id, score, logit, lse FROM mha_search WHERE table_name = 'docs' "
        f"AND query = (SELECT vec FROM docs WHERE id = {query}) AND k = {k} {more}".encode()
    ).fetchall()


def explained(db: Connection, more: str) -> dict[str, Any]:
    statement = f"SELECT id FROM mha_search WHERE table_name = 'docs' AND query_id = 7 {more}"
    ((plan,),) = db.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode()).fetchall()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    node = plan[0]["Plan"]
    while "Cache" not in node:
        node = node["Plans"][-1]
    return dict(node)


def index(db: Connection, dtype: str) -> None:
    db.execute(f"CREATE INDEX codes ON docs USING ruvector_attention (vec) WITH (dtype = '{dtype}')".encode())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "more", ["AND num_heads = 1", "AND num_heads = 4", "AND num_heads = 1 AND temperature = 0.01"]
)
def test_answers_are_those_of_float32(docs: Connection, dtype: str, more: str) -> None:
    wanted = [search(docs, k, query, more) for k in (1, 10, 100) for query in (7, 2999)]
    index(docs, dtype)
    found = [search(docs, k, query, more) for k in (1, 10, 100) for query in (7, 2999)]
    for rows, other in zip(found, wanted, strict=True):
        assert [row[0] for row in rows] == [row[0] for row in other]
        for row, same in zip(rows, other, strict=True):
            np.testing.assert_allclose(row[1:3], same[1:3], rtol=1e-5)
            np.testing.assert_allclose(row[3], same[3], rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_keys_are_read_exactly(docs: Connection, dtype: str) -> None:
    index(docs, dtype)
    first, second = (explained(docs, "AND k = 10 AND temperature = 9") for _ in range(2))
    assert (first["Cache Use"], second["Cache Use"]) == ("built", "hit")
    assert (second["Dtype"], second["Cache"]) == (dtype, "warm")
    assert 10 <= second["Exact Keys"] < 300


@pytest.mark.parametrize("more", ["AND num_heads = 4", "AND k = 5 AND attention_type = 'cosine'"])
def test_what_codes_cannot_answer_comes_from_a_copy_of_the_keys(docs: Connection, more: str) -> None:
    index(docs, "int8")
    explained(docs, "AND k = 10 AND num_heads = 4")
    uses = [explained(docs, more)["Cache Use"] for _ in range(2)]
    assert uses == ["built (float32)", "hit (float32)"]


def test_few_candidates_are_read_from_the_source(docs: Connection) -> None:
    index(docs, "int8")
    explained(docs, "AND k = 10 AND num_heads = 4")
    assert explained(docs, "AND k = 5 AND candidates = '{1,2}'")["Cache Use"] == "none (few candidates)"


def test_an_index_is_listed_with_the_copy_that_it_declares(docs: Connection) -> None:
    index(docs, "int8")
    explained(docs, "AND k = 10 AND num_heads = 4")
    listed = "SELECT rows, bytes, hits FROM attention_indexes"
    before = docs.execute(listed).fetchall()
    assert "float32" in explained(docs, "AND k = 5 AND attention_type = 'cosine'")["Cache Use"]
    assert docs.execute(listed).fetchall() == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_changes_are_seen(docs: Connection, dtype: str) -> None:
    index(docs, dtype)
    search(docs, 3)
    docs.execute("UPDATE docs SET vec = (SELECT vec FROM docs WHERE id = 7) WHERE id IN (11, 12)")
    docs.execute("DELETE FROM docs WHERE id = 7; INSERT INTO docs SELECT 5000, vec FROM docs WHERE id = 11")
    assert [row[0] for row in search(docs, 3, 11)] == [11, 12, 5000]
    docs.execute("VACUUM (INDEX_CLEANUP on) docs")
    assert [row[0] for row in search(docs, 3, 11)] == [11, 12, 5000]


def test_a_rescan_of_another_table_is_answered_from_that_table(docs: Connection) -> None:
    docs.execute("CREATE TABLE others AS SELECT id + 10000 AS id, vec FROM docs WHERE id <= 20")
    index(docs, "int8")
    rows = docs.execute(
        "SELECT name, id FROM (VALUES ('docs'), ('others'), ('docs')) t (name), LATERAL (SELECT id FROM "
        "mha_search WHERE table_name = t.name AND query = (SELECT vec FROM docs WHERE id = 7) AND k = 1) s"
    ).fetchall()
    assert rows == [("docs", 7), ("others", 10007), ("docs", 7)]


def test_the_copy_is_a_quarter(docs: Connection) -> None:
    sizes = {}
    for dtype in ("float32", *DTYPES):
        index(docs, dtype)
        search(docs, 3, more="AND num_heads = 1")
        ((sizes[dtype],),) = docs.execute("SELECT bytes FROM attention_indexes").fetchall()
        docs.execute("DROP INDEX codes")
    assert sizes["int8"] < 0.6 * sizes["float32"]  # 48 dimensions: ids and addresses weigh something
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_row_of_query_id_is_read_without_an_index_on_ids(docs: Connection, dtype: str) -> None:
    by_vector = search(docs, 5)
    docs.execute("ALTER TABLE docs DROP CONSTRAINT docs_pkey")
    docs.execute(
        f"CREATE INDEX ON docs USING ruvector_attention (vec) INCLUDE (id) WITH (dtype = '{dtype}')".encode()
    )
    docs.execute("VACUUM ANALYZE docs")
    by_id = (
        "SELECT id FROM mha_search WHERE table_name = 'docs' AND query_id = 7 AND k = 5 AND id_column = 'id'"
    )
    docs.execute(by_id)
    scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'docs'"
    with docs.transaction():
        before = docs.execute(scans).fetchone()
        assert docs.execute(by_id).fetchall() == [row[:1] for row in by_vector]
        assert docs.execute(scans).fetchone() == before
