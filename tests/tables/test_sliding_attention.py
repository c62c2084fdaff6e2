"""The table sliding_attention and its function against float64."""

import numpy as np
import pytest

COLUMNS = "window_index, window_start, window_end, position, id, output"


def expected(vectors, size, stride):
    """(window, first, last, position, output), positions from 1."""
    n, window, start = len(vectors), 0, 0
    while True:
        end = min(start + size, n)
        part = vectors[start:end]
        weights = np.exp(part @ part.T / np.sqrt(part.shape[1]))
        outputs = weights / weights.sum(axis=1, keepdims=True) @ part
        for place, output in enumerate(outputs):
            yield window, start + 1, end, start + place + 1, output
        if end == n:
            return
        window, start = window + 1, start + stride


def assert_rows(found, wanted):
    wanted = list(wanted)
    assert [row[:4] for row in found] == [row[:4] for row in wanted]
    np.testing.assert_allclose([r[-1] for r in found], [r[-1] for r in wanted], rtol=1e-5, atol=1e-6)


def as_array(vectors):
    return "{" + ",".join("{" + ",".join(map(str, v)) + "}" for v in vectors) + "}"


SEQUENCE = np.round(np.random.RandomState(0).standard_normal((11, 4)), 3)
SHAPES = [(4, 2), (4, 4), (3, 1), (5, 3), (11, 1), (256, 128), (1, 1), (10, 10)]


@pytest.mark.parametrize(("size", "stride"), SHAPES)
def test_windows_of_an_array(rows, size, stride):
    found = rows(
        f"SELECT {COLUMNS} FROM sliding_attention WHERE embeddings = %s::real[]"
        " AND window_size = %s AND stride = %s",
        as_array(SEQUENCE),
        size,
        stride,
    )
    assert {row[4] for row in found} == {None}
    assert_rows(found, expected(SEQUENCE, size, stride))


@pytest.mark.parametrize("kind", ["scaled_dot", "linear"])
@pytest.mark.parametrize("heads", [2, 4])
def test_heads_attend_to_slices(rows, heads, kind):
    query = (
        "SELECT output FROM sliding_attention WHERE embeddings = %s::real[] AND num_heads = %s"
        " AND attention_type = %s AND window_size = 256"
    )
    whole = np.array([r[0] for r in rows(query, as_array(SEQUENCE), heads, kind)])
    for part, found in zip(np.split(SEQUENCE, heads, axis=1), np.split(whole, heads, axis=1), strict=True):
        alone = [r[0] for r in rows(query, as_array(part), 1, kind)]
        np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), SHAPES)
def test_the_function_gives_the_rows_of_the_table(rows, size, stride):
    found = rows(
        "SELECT * FROM ruvector_sliding_attention(%s::real[], %s, %s)", as_array(SEQUENCE), size, stride
    )
    assert_rows(found, expected(SEQUENCE, size, stride))


def test_a_relation_in_the_order_of_a_column(documents, rows):
    documents.execute("ALTER TABLE documents ADD written timestamptz")
    documents.execute("UPDATE documents SET written = '2026-01-01'::timestamptz - interval '1 hour' * id")
    found = rows(
        f"SELECT {COLUMNS} FROM sliding_attention WHERE table_name = 'documents'"
        " AND order_column = 'written' AND window_size = 5 AND stride = 4"
    )
    assert [row[4] for row in found] == [12, 11, 10, 9, 8, 8, 7, 6, 5, 4, 4, 3, 2, 1]
    vectors = np.array([r[0] for r in rows("SELECT embedding FROM documents ORDER BY id DESC")], np.float64)
    assert_rows(found, expected(vectors, 5, 4))


def test_equal_places_are_ordered_by_id(documents, rows):
    documents.execute("ALTER TABLE documents ADD step int DEFAULT 1")
    found = rows(
        "SELECT id FROM sliding_attention WHERE table_name = 'documents' AND order_column = 'step'"
        " AND window_size = 12 AND stride = 12"
    )
    assert [row[0] for row in found] == list(range(1, 13))


def test_limit_takes_no_more_windows_than_needed(documents, rows):
    documents.execute("CREATE TABLE long (id int PRIMARY KEY, v real[])")
    documents.execute("INSERT INTO long SELECT i, ARRAY[sin(i), cos(i)] FROM generate_series(1, 50000) i")
    documents.execute("SET LOCAL statement_timeout = '3s'")
    query = "SELECT position FROM sliding_attention WHERE table_name = 'long' AND order_column = 'id'"
    assert len(rows(f"{query} AND window_size = 2000 AND stride = 1 LIMIT 3")) == 3


def test_an_empty_relation_has_no_windows(documents, rows):
    documents.execute("CREATE TABLE nothing (id int PRIMARY KEY, v real[])")
    query = "SELECT position FROM sliding_attention WHERE table_name = 'nothing' AND order_column = 'id'"
    assert rows(query) == []


def test_explain_names_the_source(plan):
    text = plan(
        "SELECT position FROM sliding_attention WHERE table_name = 'documents' AND order_column = 'id'"
    )
    assert "Mechanism: scaled_dot" in text
    assert "Source: public.documents (id, embedding, id)" in text
    assert "window_size = 256, stride = 128" in text


ARRAY = "embeddings = '{{1,0},{0,1}}'"


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clauses", "state", "message", "hint"),
    [
        (
            f"{ARRAY} AND window_size = 2 AND stride = 3",
            "22023",
            "stride is 3, window_size is 2",
            "at most window_size",
        ),
        (f"{ARRAY} AND window_size = 0", "22023", "window_size must be between 1 and", "window_size"),
        (f"{ARRAY} AND stride = -1", "22023", "stride must be between 1 and", "stride"),
        ("table_name = 'documents'", "22023", 'over a table needs the parameter "order_column"', "are: id"),
        (f"{ARRAY} AND table_name = 'documents'", "22023", "are both given", "For example"),
        (
            f"{ARRAY} AND order_column = 'id'",
            "22023",
            '"order_column" is given without table_name',
            "Leave it out",
        ),
        (
            f"{ARRAY} AND num_heads = 4",
            "22023",
            "num_heads is 4, which does not divide",
            "Values that fit: 1, 2",
        ),
        (
            f"{ARRAY} AND attention_type = 'causal'",
            "0A000",
            "does not work in sliding_attention",
            "It works in",
        ),
        ("embeddings = '{1,2}'", "22000", "embeddings must have two dimensions, got 1", "'{{0.1, 0.2}"),
        ("embeddings = '{}'", "22000", "embeddings has no elements", "embeddings"),
        ("embeddings = '{{1,NaN}}'", "22000", "nan at position 2 of row 1", None),
        ("embeddings = '{{1,NULL}}'", "22004", "NULL", "without NULL"),
        ("embeddings = '{{{1}}}'", "2202E", "array has 3 dimensions", None),
        ("window_size = 2", "HV000", 'parameter "embeddings" or "table_name"', "For example"),
    ],
)
def test_bad_input_is_an_error_with_a_hint(failure, clauses, state, message, hint):
    diag = failure(f"SELECT output FROM sliding_attention WHERE {clauses}")
    assert diag.sqlstate == state
    assert message in diag.message_primary
    assert hint is None or hint in diag.message_hint
