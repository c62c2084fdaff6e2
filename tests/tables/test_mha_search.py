"""The numbers of mha_search against a float64 computation written out here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection

KEYS = np.random.default_rng(20).normal(size=(300, 48)).astype(np.float32)
QUERY = np.random.default_rng(21).normal(size=48).astype(np.float32)
IDS = np.arange(len(KEYS)) * 7 + 3
SMALLEST = float(np.finfo(np.float32).tiny)
Rows = list[tuple[Any, ...]]


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE documents (id bigint PRIMARY KEY, embedding real[])")
    rows = [(int(i), key.tolist()) for i, key in zip(IDS, KEYS, strict=True)]
    db.cursor().executemany("INSERT INTO documents VALUES (%s, %s)", rows)
    return db


def search(db: Connection[Any], columns: str, clauses: str, parameters: Sequence[Any] = ()) -> Rows:
    """Rows of a search for QUERY in their order of arrival."""
    sql = f"SELECT {columns} FROM mha_search WHERE table_name = 'documents' AND query = %s::real[]{clauses}"
    return db.execute(sql.encode(), [QUERY.tolist(), *parameters]).fetchall()


def expected_logits(
    heads: int, temperature: float = 1, cosine: bool = False, scale: float | None = None
) -> NDArray[np.float64]:
    """Logits (heads, rows) in float64."""
    slices = KEYS.astype(np.float64).reshape(len(KEYS), heads, -1)
    query = QUERY.astype(np.float64).reshape(heads, -1)
    dots = np.einsum("nhd,hd->hn", slices, query)
    if cosine:
        dots /= np.linalg.norm(slices, axis=2).T * np.linalg.norm(query, axis=1)[:, None]
    else:
        dots *= 1 / np.sqrt(query.shape[1]) if scale is None else scale
    return dots / temperature


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.exp(logits - logits.max()).sum(axis=1)) + logits.max()


def check(rows: Rows, logits: NDArray[np.float64]) -> None:
    """Rows (id, score, logit, rank, head_scores, lse) are those of these logits, best first."""
    scores = softmax(logits)
    order = np.argsort(-scores.mean(axis=0), kind="stable")
    ids, score, logit, rank, head_scores, lse = map(list, zip(*rows, strict=True))
    assert ids == IDS[order].tolist()
    assert rank == list(range(1, len(IDS) + 1))
    np.testing.assert_allclose(score, scores.mean(axis=0)[order], rtol=1e-5, atol=SMALLEST)
    np.testing.assert_allclose(logit, logits.mean(axis=0)[order], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(head_scores, scores[:, order].T, rtol=2e-5, atol=SMALLEST)
    np.testing.assert_allclose(lse, np.tile(log_sum_exp(logits), (len(IDS), 1)), rtol=1e-6)


ALL = "id, score, logit, rank, head_scores, lse"


@pytest.mark.parametrize("mechanism", ["scaled_dot", "multi_head", "flash_v2", "cosine"])
def test_a_mechanism_equals_float64_in_heads_and_temperatures(db: Connection[Any], mechanism: str) -> None:
    clauses = " AND attention_type = %s AND num_heads = %s AND temperature = %s"
    for heads in (1, 2, 3, 8, 48):
        for temperature in (0.05, 0.5, 4):
            rows = search(db, ALL, clauses, [mechanism, heads, temperature])
            check(rows, expected_logits(heads, temperature, cosine=mechanism == "cosine"))


def test_defaults_are_eight_heads_at_temperature_one(db: Connection[Any]) -> None:
    check(search(db, ALL, ""), expected_logits(8))
    check(search(db, ALL, " AND attention_type = 'dot'"), expected_logits(1))
    check(search(db, ALL, " AND attention_type = 'cosine'"), expected_logits(1, 0.1, cosine=True))


def test_options_of_a_mechanism(db: Connection[Any]) -> None:
    rows = search(db, ALL, """ AND attention_type = 'scaled_dot' AND options = '{"scale": 0.3}'""")
    check(rows, expected_logits(1, scale=0.3))
    rows = search(db, ALL, """ AND attention_type = 'flash' AND options = '{"block_size_kv": 7}'""")
    check(rows, expected_logits(1))


@pytest.mark.parametrize("mechanism", ["scaled_dot", "multi_head", "flash_v2", "cosine"])
def test_scores_sum_to_one(db: Connection[Any], mechanism: str) -> None:
    rows = search(db, "sum(score::double precision)", " AND attention_type = %s", [mechanism])
    assert rows[0][0] == pytest.approx(1, rel=1e-5)


def test_k_cuts_after_the_scores_are_normalised(db: Connection[Any]) -> None:
    every = search(db, "id, rank, score", "")
    for k in (1, 10, 299, 300, 1000):
        rows = search(db, "id, rank, score", " AND k = %s", [k])
        assert [row[:2] for row in rows] == [row[:2] for row in every[:k]]
        np.testing.assert_allclose([row[2] for row in rows], [row[2] for row in every[:k]], rtol=1e-6)


def test_candidates_restrict_the_keys_before_normalisation(db: Connection[Any]) -> None:
    chosen = [40, 3, 111, 222]
    asked = [int(IDS[i]) for i in chosen] + [int(IDS[3]), -1, 10**15]
    rows = search(db, "id, score", " AND num_heads = 4 AND candidates = %s::bigint[]", [asked])
    scores = softmax(expected_logits(4)[:, chosen]).mean(axis=0)
    expected = sorted(zip(IDS[chosen].tolist(), scores, strict=True), key=lambda row: -row[1])
    assert [row[0] for row in rows] == [row[0] for row in expected]
    np.testing.assert_allclose([row[1] for row in rows], [row[1] for row in expected], rtol=1e-5)
    assert search(db, "id", " AND candidates = '{}'") == []
    assert search(db, "id", " AND candidates = '{-1}'") == []


def test_candidates_may_come_from_another_query(db: Connection[Any]) -> None:
    clause = " AND candidates = ARRAY(SELECT id FROM documents WHERE id < 100)"
    assert sorted(search(db, "id", clause)) == [(i,) for i in IDS.tolist() if i < 100]


def test_query_id_searches_for_a_rows_own_vector(db: Connection[Any]) -> None:
    by_id = (
        "SELECT id, score FROM mha_search"
        " WHERE table_name = 'documents' AND temperature = 0.01 AND query_id = 10"
    )
    by_vector = by_id.replace("query_id = 10", "query = (SELECT embedding FROM documents WHERE id = 10)")
    rows = db.execute(by_id).fetchall()
    assert rows == db.execute(by_vector).fetchall()
    assert rows[0][0] == 10


def test_query_id_need_not_be_a_candidate(db: Connection[Any]) -> None:
    rows = db.execute(
        "SELECT id, query_id FROM mha_search"
        " WHERE table_name = 'documents' AND query_id = 10 AND candidates = '{3,17}'"
    ).fetchall()
    assert sorted(rows) == [(3, 10), (17, 10)]


def test_normaliser_gives_the_scores_of_a_larger_whole(db: Connection[Any]) -> None:
    whole = dict(search(db, "id, score", " AND num_heads = 3"))
    lse = search(db, "lse", " AND num_heads = 3 AND k = 1")[0][0]
    half = IDS[:150].tolist()
    rows = search(
        db,
        "id, score, lse",
        " AND num_heads = 3 AND candidates = %s::bigint[] AND normaliser = %s",
        [half, lse],
    )
    np.testing.assert_allclose([row[1] for row in rows], [whole[row[0]] for row in rows], rtol=1e-5)
    assert {tuple(row[2]) for row in rows} == {tuple(lse)}
    assert sum(row[1] for row in rows) < 0.9


def test_equal_scores_come_by_id(db: Connection[Any]) -> None:
    db.execute(
        "UPDATE documents SET embedding = (SELECT embedding FROM documents WHERE id = 10) WHERE id % 2 = 0"
    )
    rows = search(db, "score, id", "")
    assert rows == sorted(rows, key=lambda row: (-row[0], row[1]))
    assert len({row[0] for row in rows}) < len(rows)


def test_result_columns_filter_and_aggregate_as_sql_says(db: Connection[Any]) -> None:
    every = search(db, "id, score, rank", "")
    assert search(db, "id, score, rank", " AND rank BETWEEN 5 AND 8") == every[4:8]
    assert search(db, "id, score, rank", " AND id = 10") == [row for row in every if row[0] == 10]
    assert search(db, "count(*), max(rank), array_length(array_agg(DISTINCT num_heads), 1)", "") == [
        (300, 300, 1)
    ]
    assert search(db, "1", " LIMIT 3") == [(1,)] * 3


def test_a_thread_more_gives_the_same_answer(db: Connection[Any]) -> None:
    single = search(db, ALL, " AND k = 20")
    db.execute("SET ruattn_fdw.threads = 2")
    assert search(db, ALL, " AND k = 20") == single
