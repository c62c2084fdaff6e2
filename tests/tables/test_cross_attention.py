"""The table cross_attention against float64, its order, its memory and what it refuses."""

import time

import numpy as np
import psycopg
import pytest

FROM = "FROM cross_attention WHERE query_table = 'questions' AND document_table = 'documents'"


@pytest.fixture
def questions(documents):
    documents.execute("CREATE TABLE questions (number bigint PRIMARY KEY, v double precision[])")
    documents.execute("INSERT INTO questions SELECT 100 - id, embedding FROM documents WHERE id <= 5")
    documents.execute("UPDATE questions SET v = NULL WHERE number = 97")
    return documents


def expected(connection, temperature=1.0, heads=1):
    """{query: [(document, score, logit), ...] best first} and {query: lse}, in float64."""
    read = "SELECT id, embedding FROM documents ORDER BY id"
    ids, keys = zip(*connection.execute(read).fetchall(), strict=True)
    keys = np.array(keys, np.float32).astype(np.float64).reshape(len(ids), heads, -1)
    answers, lses = {}, {}
    for number, vector in connection.execute(
        "SELECT number, v FROM questions WHERE v IS NOT NULL"
    ).fetchall():
        query = np.array(vector, np.float32).astype(np.float64).reshape(heads, -1)
        logits = np.einsum("nhw,hw->hn", keys, query) / np.sqrt(keys.shape[2]) / temperature
        lse = np.log(np.exp(logits).sum(axis=1))
        score = np.exp(logits - lse[:, None]).mean(axis=0)
        best = np.lexsort((ids, -score))
        answers[number] = [(ids[j], score[j], logits.mean(axis=0)[j]) for j in best]
        lses[number] = lse
    return answers, lses


@pytest.mark.parametrize(("k", "heads"), [(1, 1), (3, 1), (3, 4), (None, 1), (100, 2)])
def test_answers_are_those_of_float64_in_order(questions, rows, k, heads):
    clauses = f" AND num_heads = {heads}" + ("" if k is None else f" AND k = {k}")
    found = rows(f"SELECT query_id, doc_id, score, logit, rank, lse {FROM}{clauses}")
    answers, lses = expected(questions, heads=heads)
    wanted = [
        (number, *answer, rank + 1)
        for number in sorted(answers)
        for rank, answer in enumerate(answers[number][:k])
    ]
    assert [(row[0], row[1], row[4]) for row in found] == [(w[0], w[1], w[4]) for w in wanted]
    np.testing.assert_allclose([row[2] for row in found], [w[2] for w in wanted], rtol=1e-5)
    np.testing.assert_allclose([row[3] for row in found], [w[3] for w in wanted], rtol=1e-5, atol=1e-6)
    for row in found:
        np.testing.assert_allclose(row[5], lses[row[0]], rtol=1e-6)


def test_scores_of_each_query_sum_to_1_before_k(questions, rows):
    sums = rows(f"SELECT query_id, sum(score) {FROM} GROUP BY query_id")
    assert len(sums) == 4
    assert all(total == pytest.approx(1, abs=1e-6) for _, total in sums)


def test_it_may_ask_and_answer_from_one_relation(rows):
    found = rows(
        "SELECT query_id, doc_id FROM cross_attention"
        " WHERE query_table = 'documents' AND document_table = 'documents' AND k = 1"
    )
    assert found == [(i, i) for i in range(1, 13)]


def test_ordering_by_query_needs_no_sort(questions, plan):
    assert "Sort" not in plan(f"SELECT query_id, doc_id {FROM} AND k = 2 ORDER BY query_id")


@pytest.mark.bundled
def test_limit_stops_early_and_rescans_read_once(questions, rows, explained):
    assert len(rows(f"SELECT doc_id {FROM} LIMIT 2")) == 2
    query = f"SELECT g, (SELECT count(*) {FROM} AND k = g) FROM generate_series(1, 3) g"
    assert [count for _, count in rows(query)] == [4, 8, 12]
    [scan] = [
        n for n in explained(query, "ANALYZE, TIMING OFF") if n.get("Relation Name") == "cross_attention"
    ]
    assert scan["Rows Read"] == 4 + 12


def test_a_normaliser_for_each_query_makes_scores_those_of_a_larger_whole(questions, rows):
    questions.execute("CREATE TABLE half AS SELECT * FROM documents WHERE id <= 6")
    whole = {(q, d): (score, lse) for q, d, score, lse in rows(f"SELECT query_id, doc_id, score, lse {FROM}")}
    lse = [whole[number, 1][1][0] for number in (95, 96, 98, 99)]
    half = rows(
        "SELECT query_id, doc_id, score FROM cross_attention WHERE query_table = 'questions'"
        " AND document_table = 'half' AND document_id_column = 'id' AND normaliser = %s::float8[]",
        lse,
    )
    assert len(half) == 24
    for query, document, score in half:
        assert score == pytest.approx(whole[query, document][0], rel=1e-5)


def test_columns_may_be_named(documents, rows):
    documents.execute("CREATE TABLE two (a int, b int, x real[], y real[])")
    documents.execute("INSERT INTO two VALUES (1, 10, '{1,0}', '{0,1}'), (2, 20, '{0,1}', '{1,0}')")
    assert rows(
        "SELECT query_id, doc_id FROM cross_attention WHERE query_table = 'two' AND document_table = 'two'"
        " AND query_column = 'x' AND document_column = 'y' AND query_id_column = 'a'"
        " AND document_id_column = 'b' AND k = 1"
    ) == [(1, 20), (2, 10)]


def test_empty_relations_give_no_rows(documents, rows):
    documents.execute("CREATE TABLE nothing (id int PRIMARY KEY, v real[])")
    query = "SELECT doc_id FROM cross_attention WHERE query_table = '{}' AND document_table = '{}'"
    assert rows(query.format("nothing", "documents")) == []
    assert rows(query.format("documents", "nothing")) == []


def test_explain_names_both_relations(questions, plan):
    text = plan(f"SELECT doc_id {FROM} AND k = 2")
    for line in ("Mechanism: scaled_dot", "Queries: public.questions (number, v)", "k = 2"):
        assert line in text
    assert "Documents: public.documents (id, embedding)" in text


@pytest.mark.bundled
def test_explain_analyze_counts_rows_and_nulls(questions, explained):
    scan = explained(f"SELECT doc_id {FROM} AND k = 2", "ANALYZE, TIMING OFF")[0]
    assert (scan["Rows Read"], scan["NULL Vectors Skipped"]) == (16, 1)
    assert scan["Actual Rows"] == 8


@pytest.mark.parametrize(
    ("clauses", "state", "message", "hint"),
    [
        (
            "query_table = 'questions'",
            "HV000",
            'needs a value for its parameter "document_table"',
            "For example",
        ),
        (
            "query_table = 'x' AND document_table = 'documents'",
            "42P01",
            'relation "x" does not exist',
            "search_path",
        ),
        (
            "document_table = 'short'",
            "22023",
            "questions.v has 8 dimensions, short.embedding has 2",
            "same model",
        ),
        ("document_table = 'two'", "22023", "two has 2 vector columns: x, y", "document_column = 'x'"),
        ("document_table = 'bare'", "22023", "no single-column primary key", "Give document_id_column"),
        (
            "document_table = 'documents' AND k = 0",
            "22023",
            "k must be between 1 and",
            "wanted for each query",
        ),
        (
            "document_table = 'documents' AND k = -1",
            "22023",
            "k must be between 1 and",
            "wanted for each query",
        ),
        (
            "document_table = 'documents' AND k = 3000000000",
            "22023",
            "k must be between 1 and 2147483647",
            "wanted",
        ),
        (
            "document_table = 'documents' AND num_heads = 3",
            "22023",
            "num_heads is 3, which does not",
            "Values that fit",
        ),
        (
            "document_table = 'documents' AND temperature = 0",
            "22023",
            "temperature must be greater",
            "temperature",
        ),
        (
            "document_table = 'documents' AND normaliser = '{1,2}'",
            "22023",
            "normaliser has 2 values, 4 queries with 1 heads each need 4",
            "each head of each query",
        ),
        (
            "document_table = 'documents' AND attention_type = 'causal'",
            "0A000",
            '"causal" does not work in cross_attention',
            "It works in mha_search",
        ),
        (
            "document_table = 'documents' AND attention_type = 'scaledot'",
            "22023",
            "unknown attention",
            "scaled_dot",
        ),
    ],
)
def test_bad_input_is_an_error_with_a_hint(questions, failure, clauses, state, message, hint):
    questions.execute("CREATE TABLE short (id int PRIMARY KEY, embedding real[])")
    questions.execute("INSERT INTO short VALUES (1, '{1,2}')")
    questions.execute("CREATE TABLE two (id int PRIMARY KEY, x real[], y real[])")
    questions.execute("CREATE TABLE bare (x real[])")
    given = clauses if "query_table" in clauses else f"query_table = 'questions' AND {clauses}"
    diag = failure(f"SELECT doc_id FROM cross_attention WHERE {given}")
    assert diag.sqlstate == state
    assert message in diag.message_primary
    assert hint is None or hint in diag.message_hint


def test_k_null_gives_no_rows(questions, rows):
    assert rows(f"SELECT doc_id {FROM} AND k = NULL") == []


def test_a_bad_vector_names_its_row(questions, failure):
    questions.execute("UPDATE questions SET v[2] = 'NaN' WHERE number = 99")
    diag = failure(f"SELECT doc_id {FROM}")
    assert diag.sqlstate == "22000"
    assert "questions.v of the row with id 99" in diag.message_primary


def test_an_overflow_names_the_document(questions, failure):
    questions.execute("UPDATE documents SET embedding[1] = 3e38 WHERE id = 7")
    questions.execute("UPDATE questions SET v[1] = 100 WHERE v IS NOT NULL")
    diag = failure(f"SELECT doc_id {FROM}")
    assert diag.sqlstate == "22003"
    assert "documents.embedding of id 7 overflows single precision" in diag.message_primary


BIG = """
CREATE TABLE big (id int PRIMARY KEY, v real[]);
INSERT INTO big SELECT i, ARRAY(SELECT sin(i * j)::real FROM generate_series(1, 64) j)
FROM generate_series(1, 20000) i;
"""
ALL_PAIRS = (
    "SELECT count(*) FROM cross_attention WHERE query_table = 'big' AND document_table = 'big' AND k = 5"
)


@pytest.mark.bundled
def test_memory_above_the_setting_is_an_error_that_names_it(documents, failure):
    documents.execute(BIG)
    documents.execute("SET LOCAL ruattn_fdw.max_memory = '8MB'")
    diag = failure(ALL_PAIRS)
    assert diag.sqlstate == "53200"
    assert "need 9 MB, ruattn_fdw.max_memory is 8 MB" in diag.message_primary
    assert "ruattn_fdw.max_memory" in diag.message_hint


def test_far_more_pairs_than_memory_are_no_error(documents, rows):
    documents.execute(BIG)
    documents.execute("SET LOCAL ruattn_fdw.max_memory = '12MB'")
    assert rows(ALL_PAIRS) == [(100_000,)]


@pytest.mark.parametrize("clauses", ["k = 5", "num_heads = 4"])
def test_a_timeout_takes_effect_between_blocks(documents, failure, clauses):
    documents.execute(BIG)
    query = "SELECT count(*) FROM cross_attention WHERE query_table = 'big' AND document_table = 'big' AND "
    documents.execute("SET LOCAL statement_timeout = '300ms'")
    start = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled), documents.transaction():
        documents.execute((query + clauses).encode())
    assert time.monotonic() - start < 0.6
    documents.execute("SET LOCAL statement_timeout = 0")
    assert documents.execute("SELECT 1").fetchone() == (1,)
