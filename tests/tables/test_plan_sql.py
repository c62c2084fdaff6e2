"""The SQL of the original plan, block by block, as it is written there, against float64 written out here.

What the plan writes otherwise, and why, is in docs/deviations.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

RANDOM = np.random.default_rng(2025)
DOCUMENTS = RANDOM.normal(size=(60, 32)).astype(np.float32)
QUERIES = RANDOM.normal(size=(4, 32)).astype(np.float32)
EDGES = [(1, 2), (1, 3), (4, 1), (2, 5), (3, 5), (1, 6), (6, 1)]


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    db.execute("""
        CREATE TABLE documents (id bigint PRIMARY KEY, title text, embedding real[]);
        CREATE TABLE queries (id int PRIMARY KEY, embedding real[]);
        CREATE TABLE edges (source bigint, target bigint)
    """)
    cursor = db.cursor()
    documents = [(n + 1, f"title {n + 1}", row.tolist()) for n, row in enumerate(DOCUMENTS)]
    cursor.executemany("INSERT INTO documents VALUES (%s, %s, %s)", documents)
    cursor.executemany(
        "INSERT INTO queries VALUES (%s, %s)", [(n, q.tolist()) for n, q in enumerate(QUERIES)]
    )
    cursor.executemany("INSERT INTO edges VALUES (%s, %s)", EDGES)
    return db


def literal(vector: Any) -> str:
    return "'{" + ",".join(repr(float(x)) for x in vector) + "}'"


def rows(db: Connection[Any], sql: str) -> list[tuple[Any, ...]]:
    return db.execute(sql.encode()).fetchall()


def softmax(logits: Any) -> Any:
    weights = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def head_weights(query: Any, heads: int) -> Any:
    """The weights of all documents, the mean over the heads."""
    slices = DOCUMENTS.astype(np.float64).reshape(len(DOCUMENTS), heads, -1)
    logits = np.einsum("nhd,hd->hn", slices, query.astype(np.float64).reshape(heads, -1))
    return softmax(logits / np.sqrt(32 / heads)).mean(axis=0)


def check_ranking(found: list[tuple[Any, ...]], weights: Any) -> None:
    """Rows (id, score), best first."""
    order = np.argsort(-weights, kind="stable")[: len(found)]
    assert [row[0] for row in found] == [int(n) + 1 for n in order]
    assert [row[1] for row in found] == pytest.approx(weights[order], rel=1e-5)


def test_section_1_a_search_is_a_select(db: Connection[Any]) -> None:
    found = rows(
        db,
        f"""
        SELECT d.id, s.score, d.title
        FROM   mha_search s JOIN documents d USING (id)
        WHERE  s.table_name = 'documents' AND s.query = {literal(QUERIES[0])} AND s.num_heads = 8 AND s.k = 10
        ORDER  BY s.score DESC;
        """,
    )
    assert len(found) == 10
    check_ranking(found, head_weights(QUERIES[0], 8))


def test_attention_score_over_a_table(db: Connection[Any]) -> None:
    found = rows(
        db,
        f"""
        SELECT id, ruvector_attention_score(query := {literal(QUERIES[1])}::real[], key := embedding,
                                            attention_type := 'scaled_dot') AS score
        FROM documents ORDER BY score DESC LIMIT 10
        """,
    )
    logits = DOCUMENTS.astype(np.float64) @ QUERIES[1].astype(np.float64) / np.sqrt(32)
    check_ranking(found, logits)
    positional = rows(
        db, f"SELECT ruvector_attention_score({literal(QUERIES[1])}::real[], embedding) FROM documents"
    )
    assert [row[0] for row in positional] == pytest.approx(logits, rel=1e-5, abs=1e-6)


def test_mha_search_with_named_arguments(db: Connection[Any]) -> None:
    call = "ruvector_mha_search(table_name := 'documents', query := {}, num_heads := 8, k := 10)"
    found = rows(db, f"SELECT id, score FROM {call.format(literal(QUERIES[2]) + '::real[]')}")
    check_ranking(found, head_weights(QUERIES[2], 8))
    assert rows(db, f"SELECT * FROM {call.format(literal(QUERIES[2]))}") == found
    assert rows(db, f"SELECT * FROM ruvector_mha_search('documents', {literal(QUERIES[2])})") == found


@pytest.mark.bundled
def test_cross_attention_with_a_column_list(db: Connection[Any]) -> None:
    found = rows(
        db,
        """
        SELECT * FROM ruvector_cross_attention(
            query_table := 'queries', query_column := 'embedding',
            document_table := 'documents', document_column := 'embedding',
            attention_type := 'scaled_dot'
        ) AS (query_id int, doc_id int, score float)
        """,
    )
    weights = softmax(QUERIES.astype(np.float64) @ DOCUMENTS.astype(np.float64).T / np.sqrt(32))
    assert len(found) == weights.size
    for query in range(len(QUERIES)):
        check_ranking([row[1:] for row in found if row[0] == query], weights[query])
    short = "ruvector_cross_attention('queries', 'embedding', 'documents', 'embedding')"
    as_text = rows(db, f"SELECT * FROM {short} AS (query_id text, doc_id numeric, score real)")
    assert [(int(q), int(d), pytest.approx(s)) for q, d, s in as_text] == found


def test_moe_route_gives_json(db: Connection[Any]) -> None:
    call = "ruvector_moe_route(embedding := embedding, num_experts := 8, top_k := 2)"
    for (route,) in rows(db, f"SELECT {call} FROM documents"):
        assert set(route) == {"expert_indices", "expert_weights", "gate"}
        assert route["gate"] == "seeded"
        assert len(set(route["expert_indices"])) == 2
        assert set(route["expert_indices"]) <= set(range(8))
        assert sum(route["expert_weights"]) == pytest.approx(1, rel=1e-6)
        assert route["expert_weights"] == sorted(route["expert_weights"], reverse=True)
    by_table = rows(
        db, "SELECT id, expert FROM moe_route WHERE table_name = 'documents' AND rank = 1 ORDER BY id"
    )
    by_function = rows(db, f"SELECT id, ({call} -> 'expert_indices' ->> 0)::int FROM documents ORDER BY id")
    assert by_table == by_function


def test_sliding_attention_over_an_array(db: Connection[Any]) -> None:
    found = rows(
        db,
        """
        SELECT window_index, window_start, window_end, "position", output
        FROM ruvector_sliding_attention(
            embeddings := (SELECT array_agg(embedding ORDER BY id) FROM documents),
            window_size := 25, stride := 20)
        """,
    )
    windows = [(0, 1, 25), (1, 21, 45), (2, 41, 60)]
    assert sorted({row[:3] for row in found}) == windows
    for index, start, end in windows:
        keys = DOCUMENTS[start - 1 : end].astype(np.float64)
        outputs = softmax(keys @ keys.T / np.sqrt(32)) @ keys
        shown = [row[4] for row in found if row[0] == index]
        np.testing.assert_allclose(shown, outputs, rtol=1e-5, atol=1e-6)
    defaults = "ruvector_sliding_attention((SELECT array_agg(embedding ORDER BY id) FROM documents))"
    assert rows(db, f"SELECT count(*), max(window_end) FROM {defaults}") == [(60, 60)]


def test_attention_types(db: Connection[Any]) -> None:
    found = rows(db, "SELECT name, complexity, best_for FROM ruvector_attention_types()")
    plan = {"scaled_dot", "flash_v2", "linear", "gat", "sparse", "moe", "hyperbolic"}
    assert plan <= {row[0] for row in found}
    assert all(all(row) for row in found)


def test_gat_search_of_a_node(db: Connection[Any]) -> None:
    found = rows(
        db,
        """
        SELECT * FROM ruvector_gat_search(
            node_table := 'documents', edge_table := 'edges', query_node_id := 1, num_heads := 4, k := 10)
        """,
    )
    near = np.array([1, 2, 3, 4, 6])
    slices = DOCUMENTS.astype(np.float64)[near - 1].reshape(len(near), 4, 8)
    logits = -np.abs(slices - slices[0]).sum(axis=2).T
    weights = dict(zip(near.tolist(), softmax(logits).mean(axis=0), strict=True))
    assert {row[0]: row[1] for row in found} == pytest.approx(
        {node: weight for node, weight in weights.items() if node != 1}, rel=1e-5
    )
    assert [row[1] for row in found] == sorted((row[1] for row in found), reverse=True)


@pytest.mark.parametrize("curvature", ["1.0", "-1.0", "0.5", "-0.5"])
def test_hyperbolic_distance_for_both_signs(db: Connection[Any], curvature: str) -> None:
    a, b, c = np.array([0.1, 0.2, -0.3]), np.array([0.4, -0.1, 0.2]), abs(float(curvature))
    call = f"ruvector_hyperbolic_distance(a := {literal(a)}, b := {literal(b)}, curvature := {curvature})"
    gap, inside = ((a - b) ** 2).sum(), (1 - c * (a**2).sum()) * (1 - c * (b**2).sum())
    assert rows(db, f"SELECT {call}")[0][0] == pytest.approx(
        np.arccosh(1 + 2 * c * gap / inside) / np.sqrt(c), rel=1e-6
    )


def test_hyperbolic_distance_of_no_curvature(db: Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        rows(db, "SELECT ruvector_hyperbolic_distance('{0.1}', '{0.2}', 0)")
    assert caught.value.diag.message_hint


def test_softmax_and_the_scores_of_keys(db: Connection[Any]) -> None:
    assert rows(db, "SELECT ruvector_softmax(ARRAY[1.0, 2.0, 3.0]::real[])")[0][0] == pytest.approx(
        softmax(np.array([1.0, 2, 3])), rel=1e-6
    )
    keys = "(SELECT array_agg(embedding ORDER BY id) FROM documents)"
    found = rows(db, f"SELECT ruvector_attention_scores({literal(QUERIES[0])}::real[], {keys}, 'scaled_dot')")
    assert found[0][0] == pytest.approx(head_weights(QUERIES[0], 1), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "heads", "settings"),
    [
        ("multi_head", 8, ", num_heads => 8"),
        ("flash", 1, ", block_size_kv => 16"),
        ("cross", 1, ""),
        ("sliding_window", 1, ", window_size => 200"),
    ],
)
def test_outputs_of_the_exact_mechanisms(db: Connection[Any], name: str, heads: int, settings: str) -> None:
    keys = "(SELECT array_agg(embedding ORDER BY id) FROM documents)"
    call = f"ruvector_{name}_attention({literal(QUERIES[3])}::real[], {keys}, {keys}{settings})"
    slices = DOCUMENTS.astype(np.float64).reshape(len(DOCUMENTS), heads, -1)
    logits = np.einsum("nhd,hd->hn", slices, QUERIES[3].astype(np.float64).reshape(heads, -1))
    weights = softmax(logits / np.sqrt(32 / heads))
    expected = np.einsum("hn,nhd->hd", weights, slices).reshape(-1)
    assert rows(db, f"SELECT {call}")[0][0] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.bundled
@pytest.mark.parametrize("name", ["linear", "sparse", "moe", "hyperbolic"])
def test_outputs_of_the_other_mechanisms(db: Connection[Any], name: str) -> None:
    keys = "(SELECT array_agg(embedding ORDER BY id) FROM documents)"
    of_arrays = rows(db, f"SELECT ruvector_{name}_attention({literal(QUERIES[3])}::real[], {keys}, {keys})")[
        0
    ][0]
    of_json = f"ruvector_{name}_attention({literal(QUERIES[3])}::real[], to_jsonb({keys}), to_jsonb({keys}))"
    assert len(of_arrays) == 32
    assert rows(db, f"SELECT {of_json}".replace("::real[], to", "::text, to"))[0][0] == pytest.approx(
        of_arrays
    )


def test_maps_between_the_models_of_hyperbolic_space(db: Connection[Any]) -> None:
    [(there, back, zero, length, on_it)] = rows(
        db,
        """
        SELECT ruvector_exp_map('{0,0}', ruvector_log_map('{0,0}', '{0.3,0.4}')),
               ruvector_lorentz_to_poincare(ruvector_poincare_to_lorentz('{0.3,0.4}')),
               ruvector_mobius_add('{-0.3,-0.4}', '{0.3,0.4}'),
               ruvector_poincare_distance('{0,0}', '{0.3,0.4}'),
               ruvector_minkowski_dot(p, p)
        FROM   (SELECT ruvector_poincare_to_lorentz('{0.3,0.4}') AS p) t
        """,
    )
    assert there == pytest.approx([0.3, 0.4], rel=1e-6)
    assert back == pytest.approx([0.3, 0.4], rel=1e-6)
    assert zero == pytest.approx([0, 0], abs=1e-7)
    assert length == pytest.approx(2 * np.arctanh(0.5), rel=1e-6)
    assert on_it == pytest.approx(-1, rel=1e-6)


@pytest.mark.bundled
def test_attention_pool_over_groups(db: Connection[Any]) -> None:
    found = rows(
        db,
        f"""
        SELECT id % 3, attention_pool({literal(QUERIES[0])}::real[], embedding)
        FROM documents GROUP BY 1 ORDER BY 1
        """,
    )
    for rest, output in found:
        keys = DOCUMENTS.astype(np.float64)[(np.arange(60) + 1) % 3 == rest]
        weights = softmax(keys @ QUERIES[0].astype(np.float64) / np.sqrt(32))
        assert output == pytest.approx(weights @ keys, rel=1e-4, abs=1e-6)


def test_a_foreign_table_of_ones_own(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TABLE corpus AS SELECT md5(id::text)::uuid AS doc, title, embedding FROM documents;
        CREATE FOREIGN TABLE doc_search (doc uuid, title text, score real, query attention_vector, k int)
          SERVER ruattn OPTIONS (operation 'mha_search', table_name 'corpus', id_column 'doc',
                                 vector_column 'embedding', num_heads '8')
    """)
    found = rows(
        db,
        """
        SELECT title, score FROM doc_search
        WHERE query = (SELECT embedding FROM corpus WHERE doc = md5('7')::uuid) AND k = 10;
        """,
    )
    numbered = [(int(title.split()[1]), score) for title, score in found]
    check_ranking(numbered, head_weights(DOCUMENTS[6], 8))


@pytest.mark.bundled
def test_import_foreign_schema(db: Connection[Any]) -> None:
    db.execute("""
        CREATE SCHEMA attn;
        IMPORT FOREIGN SCHEMA public LIMIT TO (documents) FROM SERVER ruattn INTO attn
    """)
    found = rows(db, f"SELECT id, score FROM attn.documents WHERE query = {literal(QUERIES[0])} AND k = 5")
    check_ranking(found, head_weights(QUERIES[0], 8))


@pytest.mark.usefixtures("pgvector")
def test_rerank_what_pgvector_found(db: Connection[Any]) -> None:
    db.execute("CREATE EXTENSION vector; CREATE TABLE e AS SELECT id, embedding::vector AS e FROM documents")
    query = f"{literal(QUERIES[0])}::real[]"
    found = rows(
        db,
        f"""
        SELECT id, score FROM mha_search
        WHERE table_name = 'e' AND query = {query} AND num_heads = 1
          AND candidates = ARRAY(SELECT id FROM e ORDER BY e <=> {query}::vector LIMIT 20)
        """,
    )
    wide, asked = DOCUMENTS.astype(np.float64), QUERIES[0].astype(np.float64)
    nearest = np.argsort(-(wide @ asked) / np.linalg.norm(wide, axis=1))[:20]
    weights = softmax(wide[nearest] @ asked / np.sqrt(32))
    assert dict(found) == pytest.approx(dict(zip((nearest + 1).tolist(), weights, strict=True)), rel=1e-5)
