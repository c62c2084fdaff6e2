"""The aggregate attention_pool against plain float64 softmax attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]

ROWS, DIMENSIONS, WIDTH = 1700, 6, 3
QUERY = np.arange(DIMENSIONS) / 4


def attention(query: np.ndarray, keys: np.ndarray, values: np.ndarray, temperature: float = 1) -> np.ndarray:
    """Softmax attention in float64, written for reading."""
    logits = keys @ query / np.sqrt(len(query)) / temperature
    weights = np.exp(logits - logits.max())
    return weights @ values / weights.sum()


@pytest.fixture
def clicks(db: Connection) -> tuple[Connection, np.ndarray, np.ndarray]:
    """A table of 1,700 rows, more than three of the aggregate's blocks, and its keys and values."""
    generator = np.random.RandomState(1)
    keys = generator.standard_normal((ROWS, DIMENSIONS)).astype(np.float32)
    values = generator.standard_normal((ROWS, WIDTH)).astype(np.float32)
    db.execute("CREATE TABLE clicks (id int, session int, k real[], v double precision[], q real[])")
    with db.cursor().copy("COPY clicks FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "int4", "float4[]", "float8[]", "float4[]"])
        for number, (key, value) in enumerate(zip(keys, values, strict=True)):
            copy.write_row((number, number % 7, key.tolist(), value.tolist(), QUERY.tolist()))
    return db, keys.astype(float), values.astype(float)


def one(db: Connection, query: str) -> Any:
    return db.execute(query.encode()).fetchone()[0]  # type: ignore[index]


def test_pooled_keys_and_values_equal_plain_attention(clicks: Any) -> None:
    db, keys, values = clicks
    np.testing.assert_allclose(
        one(db, "SELECT attention_pool(q, k) FROM clicks"), attention(QUERY, keys, keys), atol=1e-5
    )
    pooled = one(db, "SELECT attention_pool(q::double precision[], k, v) FROM clicks")
    np.testing.assert_allclose(pooled, attention(QUERY, keys, values), atol=1e-5)


def test_another_mechanism_by_name(clicks: Any) -> None:
    db, keys, _ = clicks
    unit = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    direction = QUERY / np.linalg.norm(QUERY) * np.sqrt(DIMENSIONS)
    expected = attention(direction, unit, keys, temperature=0.1)
    np.testing.assert_allclose(
        one(db, "SELECT attention_pool(q, k, 'cosine') FROM clicks"), expected, atol=1e-5
    )
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="multi_head"):
        one(db, "SELECT attention_pool(q, k, 'multi_head') FROM clicks")


def test_groups_filters_and_windows(clicks: Any) -> None:
    db, keys, values = clicks
    grouped = db.execute("SELECT session, attention_pool(q, k, v) FROM clicks GROUP BY session").fetchall()
    assert len(grouped) == 7
    for session, pooled in grouped:
        np.testing.assert_allclose(pooled, attention(QUERY, keys[session::7], values[session::7]), atol=1e-5)
    pooled = one(db, "SELECT attention_pool(q, k, v) FILTER (WHERE session = 3) FROM clicks")
    np.testing.assert_allclose(pooled, attention(QUERY, keys[3::7], values[3::7]), atol=1e-5)
    running = db.execute(
        "SELECT attention_pool(q, k, v) OVER (ORDER BY id) FROM clicks WHERE id < 20"
    ).fetchall()
    for number, (pooled,) in enumerate(running, 1):
        np.testing.assert_allclose(pooled, attention(QUERY, keys[:number], values[:number]), atol=1e-5)


def test_parallel_partial_states_merge_to_the_same(clicks: Any) -> None:
    db, keys, values = clicks
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        db.execute(f"SET {setting} = 0".encode())
    plan = "\n".join(row[0] for row in db.execute("EXPLAIN SELECT attention_pool(q, k, v) FROM clicks"))
    assert "Partial Aggregate" in plan
    pooled = one(db, "SELECT attention_pool(q, k, v) FROM clicks")
    np.testing.assert_allclose(pooled, attention(QUERY, keys, values), atol=1e-5)


def test_rows_with_a_null_are_left_out_and_none_give_null(clicks: Any) -> None:
    db, keys, values = clicks
    db.execute("UPDATE clicks SET k = NULL WHERE session = 0; UPDATE clicks SET v = NULL WHERE session = 1")
    chosen = np.arange(ROWS) % 7 > 1
    pooled = one(db, "SELECT attention_pool(q, k, v) FROM clicks")
    np.testing.assert_allclose(pooled, attention(QUERY, keys[chosen], values[chosen]), atol=1e-5)
    assert one(db, "SELECT attention_pool(q, k) FROM clicks WHERE session = 0") is None
    assert one(db, "SELECT attention_pool(NULL, k) FROM clicks") is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("attention_pool(k, k)", "two different queries in one group"),
        ("attention_pool('{1,2}', k)", "key of attention_pool has 6 dimensions, query has 2"),
        ("attention_pool(q, '{1,2,3,4,5,NaN}'::real[])", "key of attention_pool has an element that is NaN"),
        ("attention_pool(q, '{1,2,3,4,5,NULL}'::real[])", "key of attention_pool has a NULL element"),
        ("attention_pool(q, '{}'::real[])", "key of attention_pool is empty"),
        ("attention_pool(q, k, 'cosin')", "unknown attention mechanism 'cosin'"),
        ("attention_pool(q, k, NULL::text)", "attention_type of attention_pool is NULL"),
    ],
)
def test_bad_input_is_an_error_with_a_hint(clicks: Any, call: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as caught:
        one(clicks[0], f"SELECT {call} FROM clicks")
    assert caught.value.diag.message_hint
    assert not (caught.value.sqlstate or "").startswith("XX")


def test_pgvector_columns_pool_as_their_arrays_do(pgvector: None, clicks: Any) -> None:
    db, *_ = clicks
    db.execute("CREATE EXTENSION vector; CREATE EXTENSION ruattn_fdw_pgvector")
    for kind, tolerance in (("vector", 1e-6), ("halfvec", 1e-2)):
        pooled = one(db, f"SELECT attention_pool(q::{kind}, k::{kind}) FROM clicks")
        np.testing.assert_allclose(pooled, one(db, "SELECT attention_pool(q, k) FROM clicks"), atol=tolerance)
