"""moe_route and ruvector_moe_route against a gate computed here in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import Diagnostic

KEYS = np.random.default_rng(20).normal(size=(150, 12)).astype(np.float32)
IDS = np.random.default_rng(21).permutation(150) * 3


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE documents (id bigint PRIMARY KEY, title text, embedding real[])")
    rows = [(int(i), f"title {i}", key.tolist()) for i, key in zip(IDS, KEYS, strict=True)]
    db.cursor().executemany("INSERT INTO documents VALUES (%s, %s, %s)", rows)
    return db


@pytest.fixture
def failure(db: Connection[Any]) -> Callable[..., Diagnostic]:
    def run(clauses: str, *values: Any) -> Diagnostic:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"SELECT * FROM moe_route WHERE {clauses}".encode(), values or None)
        return caught.value.diag

    return run


def seeded_gate(num_experts: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal((num_experts, 12))


def routed(vector: np.ndarray, gate: np.ndarray, top_k: int) -> list[tuple[int, float]]:
    logits = gate @ vector.astype(np.float64)
    chosen = sorted(range(len(gate)), key=lambda expert: -logits[expert])[:top_k]
    masses = np.exp(logits[chosen] - logits[chosen].max())
    return [
        (expert, pytest.approx(mass / masses.sum(), rel=1e-5))
        for expert, mass in zip(chosen, masses, strict=True)
    ]


@pytest.mark.parametrize(("num_experts", "top_k", "seed"), [(8, 2, 0), (5, 5, 3), (1, 1, 0)])
def test_every_row_goes_to_the_best_experts_of_the_seeded_gate(
    db: Connection[Any], num_experts: int, top_k: int, seed: int
) -> None:
    found = db.execute(
        "SELECT id, expert, weight, rank FROM moe_route WHERE table_name = 'documents' AND num_experts = %s"
        " AND top_k = %s AND options = jsonb_build_object('seed', %s::int)",
        [num_experts, top_k, seed],
    ).fetchall()
    gate = seeded_gate(num_experts, seed)
    expected = [
        (int(IDS[row]), expert, weight, rank)
        for row in np.argsort(IDS)
        for rank, (expert, weight) in enumerate(routed(KEYS[row], gate, top_k), 1)
    ]
    assert found == expected


def test_one_embedding_has_no_id(db: Connection[Any]) -> None:
    found = db.execute(
        "SELECT id, expert, weight FROM moe_route WHERE embedding = %s::real[]", [KEYS[0].tolist()]
    ).fetchall()
    assert found == [(None, *pair) for pair in routed(KEYS[0], seeded_gate(8), 2)]


def test_the_function_gives_the_same_as_json(db: Connection[Any]) -> None:
    call = "SELECT ruvector_moe_route(embedding := %s::real[], num_experts := 8, top_k := 3)"
    [(route,)] = db.execute(call, [KEYS[1].tolist()]).fetchall()
    expected = routed(KEYS[1], seeded_gate(8), 3)
    assert list(zip(route["expert_indices"], route["expert_weights"], strict=True)) == expected
    assert route["gate"] == "seeded"
    [(default,)] = db.execute("SELECT ruvector_moe_route(%s::float8[])", [KEYS[1].tolist()]).fetchall()
    assert len(default["expert_indices"]) == 2
    assert db.execute("SELECT ruvector_moe_route(NULL::real[])").fetchall() == [(None,)]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="top_k is 9, num_experts is 8"):
        db.execute("SELECT ruvector_moe_route('{1,2}', top_k := 9)")


def test_the_gate_of_clusters_sends_a_cluster_to_one_expert(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE clusters (id int PRIMARY KEY, v real[])")
    db.execute(
        "INSERT INTO clusters"
        " SELECT i, ARRAY[10 * cos(i % 4 * pi() / 2) + i * 0.001, 10 * sin(i % 4 * pi() / 2)]"
        " FROM generate_series(0, 79) i"
    )
    found = db.execute(
        "SELECT id %% 4, array_agg(DISTINCT expert) FROM moe_route WHERE table_name = 'clusters'"
        " AND num_experts = 4 AND top_k = 1 AND options = %s::jsonb GROUP BY 1",
        ['{"gate": "kmeans"}'],
    ).fetchall()
    assert sorted(expert for _, experts in found for expert in experts) == [0, 1, 2, 3]


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("options", "gate"),
    [
        ("{}", "seeded random projection, nothing is learned"),
        ('{"gate": "kmeans"}', "k-means centroids of the rows"),
    ],
)
def test_explain_says_which_gate(db: Connection[Any], options: str, gate: str) -> None:
    plan = db.execute(
        "EXPLAIN SELECT * FROM moe_route WHERE table_name = 'documents' AND options = %s::jsonb", [options]
    )
    lines = [row[0].strip() for row in plan]
    assert f"Gate: {gate}" in lines
    assert "Source: public.documents (id, embedding)" in lines


def test_a_table_without_rows_has_none(db: Connection[Any]) -> None:
    db.execute("TRUNCATE documents")
    for options in ("{}", '{"gate": "kmeans"}'):
        sql = "SELECT * FROM moe_route WHERE table_name = 'documents' AND options = %s::jsonb"
        assert db.execute(sql, [options]).fetchall() == []


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        ("top_k = 2", 'moe_route needs a value for its parameter "embedding" or "table_name"'),
        ("table_name = 'documents' AND top_k = 9", "top_k is 9, num_experts is 8"),
        ("table_name = 'documents' AND top_k = 0", "top_k must be between 1 and"),
        ("table_name = 'documents' AND num_experts = 0", "num_experts must be between 1 and 4096, got 0"),
        (
            "table_name = 'documents' AND num_experts = 5000",
            "num_experts must be between 1 and 4096, got 5000",
        ),
        (
            "embedding = '{1,2}' AND options = '{\"gate\": \"kmeans\"}'",
            'the gate "kmeans" is made of the rows',
        ),
        (
            "table_name = 'documents' AND options = '{\"gate\": \"x\"}'",
            "gate is 'x', it must be one of seeded, kmeans",
        ),
        ("table_name = 'documents' AND options = '{\"k\": 1}'", "moe_route has no option 'k'"),
        ("embedding = '{1,NaN}'", "embedding has nan at position 2"),
        ("embedding = '{}'", "embedding has no elements"),
        ("table_name = 'documents' AND embedding = '{1}'", "embedding and table_name are both given"),
        ("embedding = '{1}' AND model = 'm'", 'model "m" does not exist'),
    ],
)
def test_bad_input(failure: Callable[..., Diagnostic], clauses: str, message: str) -> None:
    error = failure(clauses)
    assert (error.message_primary or "").startswith(message)
    assert error.sqlstate != "XX000"


def test_mha_search_with_moe_attends_within_the_gates_clusters(db: Connection[Any]) -> None:
    sql = (
        "SELECT id, score, logit FROM mha_search WHERE table_name = 'documents' AND query = %s::real[]"
        " AND attention_type = 'moe' AND options = '{\"num_experts\": 4, \"top_k\": 2}'"
    )
    found = db.execute(sql.encode(), [KEYS[3].tolist()]).fetchall()
    assert len(found) == len(KEYS)
    assert sum(row[1] for row in found) == pytest.approx(1, abs=1e-5)
    seen = [row for row in found if row[2] is not None]
    assert found[: len(seen)] == seen
    assert {row[1] for row in found[len(seen) :]} == {0.0}
    for row_id, _, logit in seen:
        key = KEYS[list(IDS).index(row_id)].astype(np.float64)
        assert logit == pytest.approx(key @ KEYS[3] / np.sqrt(12), rel=1e-5, abs=1e-6)


def test_a_users_own_table_reads_columns_of_the_row(db: Connection[Any]) -> None:
    db.execute(
        "CREATE FOREIGN TABLE routes (id bigint, title text, expert int, weight real) SERVER ruattn"
        " OPTIONS (operation 'moe_route', table_name 'documents', top_k '1')"
    )
    found = db.execute("SELECT id, title FROM routes").fetchall()
    assert found == [(int(i), f"title {i}") for i in sorted(IDS)]
