"""Functions over arrays against float64, in every spelling of their arguments."""

import numpy as np
import pytest

QUERY = np.array([0.5, -1.0, 2.0, 0.25])
KEYS = np.array([[1, 0, 0.5, 0], [0, 1, 0, 0.5], [1, 1, -1, 0], [0.25, 0, 2, 1], [0, 0, 0, 0]])
VALUES = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], float)


def softmax(logits):
    masses = np.exp(logits - logits.max())
    return masses / masses.sum()


def matrix(rows):
    return "{" + ",".join("{" + ",".join(map(str, row)) + "}" for row in rows.tolist()) + "}"


def json_matrix(rows):
    return str(rows.tolist())


ARGUMENTS = f"'{matrix(QUERY[None])[1:-1]}'::real[], '{matrix(KEYS)}'::real[], '{matrix(VALUES)}'::real[]"
LOGITS = KEYS @ QUERY / 2


def by_heads(heads):
    width, value_width = 4 // heads, 2 // heads
    parts = []
    for h in range(heads):
        cut, own = slice(h * width, (h + 1) * width), slice(h * value_width, (h + 1) * value_width)
        parts.append(softmax(KEYS[:, cut] @ QUERY[cut] / np.sqrt(width)) @ VALUES[:, own])
    return np.concatenate(parts)


def among(rows):
    return softmax(LOGITS[rows]) @ VALUES[rows]


def phi(x):
    return np.where(x > 0, x + 1, np.exp(x))


KERNEL = phi(KEYS) @ phi(QUERY)

CASES = {
    "ruvector_multi_head_attention({}, num_heads => 2)": by_heads(2),
    "ruvector_multi_head_attention({}, 1)": by_heads(1),
    "ruvector_flash_attention({})": among(range(5)),
    "ruvector_flash_attention({}, block_size_kv => 2)": among(range(5)),
    "ruvector_flash_attention({}, temperature => 0.5)": softmax(2 * LOGITS) @ VALUES,
    "ruvector_cross_attention({})": among(range(5)),
    "ruvector_linear_attention({})": KERNEL / KERNEL.sum() @ VALUES,
    "ruvector_sliding_window_attention({}, window_size => 2)": among([3, 4]),
    "ruvector_sliding_window_attention({})": among(range(5)),
    "ruvector_sparse_attention({}, stride => 2)": among([0, 2, 3, 4]),
    "ruvector_sparse_attention({})": among([1, 2, 3, 4]),
    "ruvector_sparse_attention({}, pattern => 'fixed', stride => 3)": among([2, 3, 4]),
    "ruvector_sparse_attention({}, pattern => 'bigbird', \"window\" => 1, random_tokens => 0)": among([0, 4]),
}


@pytest.mark.parametrize("call", CASES)
def test_outputs_are_those_of_float64(rows, call):
    [(output,)] = rows(f"SELECT {call.format(ARGUMENTS)}")
    np.testing.assert_allclose(output, CASES[call], rtol=1e-5)


@pytest.mark.bundled
@pytest.mark.parametrize(
    "type_name", ["real[]", "double precision[]", "numeric[]", "jsonb", "text", "unknown"]
)
def test_keys_and_values_in_every_spelling(rows, type_name):
    shape = json_matrix if type_name == "jsonb" else matrix
    cast = "" if type_name == "unknown" else f"::{type_name}"
    query = "'{0.5,-1,2,0.25}'" + (f"::{type_name}" if type_name in ("real[]", "numeric[]", "text") else "")
    query += "::real[]" if type_name in ("jsonb", "double precision[]") else ""
    call = f"ruvector_flash_attention({query}, '{shape(KEYS)}'{cast}, '{shape(VALUES)}'{cast})"
    [(output,)] = rows(f"SELECT {call}")
    np.testing.assert_allclose(output, among(range(5)), rtol=1e-5)


def test_a_drivers_lists_and_texts_are_taken(rows):
    for query, keys, values in (
        (QUERY.tolist(), KEYS.tolist(), VALUES.tolist()),
        ("[0.5,-1,2,0.25]", json_matrix(KEYS), json_matrix(VALUES)),
    ):
        [(output,)] = rows("SELECT ruvector_flash_attention(%s, %s, %s)", query, keys, values)
        np.testing.assert_allclose(output, among(range(5)), rtol=1e-5)


def test_keys_may_be_aggregated_from_a_table(rows):
    [(output,)] = rows(
        "SELECT ruvector_flash_attention((SELECT embedding FROM documents WHERE id = 1),"
        " array_agg(embedding ORDER BY id), array_agg(ARRAY[id] ORDER BY id)) FROM documents"
    )
    assert (
        output
        == rows(
            "SELECT output FROM attention WHERE table_name = 'documents' AND value_column = 'id'"
            " AND query = (SELECT embedding FROM documents WHERE id = 1)"
        )[0][0]
    )


def test_softmax(rows):
    for given in ("'{1,2,3}'", "ARRAY[1,2,3]", "ARRAY[1,2,3]::real[]", "'[1,2,3]'", "'[1,2,3]'::jsonb"):
        [(weights,)] = rows(f"SELECT ruvector_softmax({given})")
        np.testing.assert_allclose(weights, softmax(np.array([1, 2, 3])), rtol=1e-6)
    [(weights,)] = rows("SELECT ruvector_softmax('{1000,1001}')")
    np.testing.assert_allclose(weights, softmax(np.array([0, 1])), rtol=1e-6)


def test_scores_of_keys_in_their_order(rows):
    query, keys, _ = ARGUMENTS.split(", '")
    call = f"ruvector_attention_scores({query}, '{keys}"
    [(weights,)] = rows(f"SELECT {call})")
    np.testing.assert_allclose(weights, softmax(LOGITS), rtol=1e-5)
    [(weights,)] = rows(f"SELECT {call}, 'linear')")
    np.testing.assert_allclose(weights, KERNEL / KERNEL.sum(), rtol=1e-5)
    [(weights,)] = rows(f"SELECT {call}, attention_type => 'sparse')")
    np.testing.assert_allclose(weights, [0, *softmax(LOGITS[1:])], rtol=1e-5)


def test_null_gives_null(rows):
    assert rows("SELECT ruvector_softmax(NULL::real[])") == [(None,)]
    assert rows("SELECT ruvector_flash_attention(NULL::real[], '{{1}}', '{{1}}')") == [(None,)]
    assert rows("SELECT ruvector_flash_attention('{1}', '{{1}}', NULL)") == [(None,)]


@pytest.mark.parametrize(
    ("call", "state", "message", "hint"),
    [
        (
            "ruvector_flash_attention('{1}', '{{1,2}}', '{{1}}')",
            "22023",
            "query has 1 dimensions, keys has 2",
            "length",
        ),
        (
            "ruvector_flash_attention('{1}', '{{1},{2}}', '{{1}}')",
            "22023",
            "keys has 2 rows, values has 1",
            "each key",
        ),
        ("ruvector_flash_attention('{1}', '{1,2}', '{{1}}')", "22000", "keys must", "vector in each row"),
        ("ruvector_flash_attention('{1}', '{{1},{2,3}}', '{{1}}')", "22000", "keys must be", "keys"),
        ("ruvector_flash_attention('{1}', '{{1},{x}}', '{{1}}')", "22000", "keys must be", "keys"),
        ("ruvector_flash_attention('{1}', '{{NaN}}', '{{1}}')", "22000", "nan at position 1 of row 1", None),
        ("ruvector_flash_attention('{Infinity}', '{{1}}', '{{1}}')", "22000", "inf at position 1", None),
        (
            "ruvector_multi_head_attention('{1}', '{{1}}', '{{1}}')",
            "22023",
            "num_heads is 8, which does not",
            "fit: 1",
        ),
        (
            "ruvector_multi_head_attention('{1,2}', '{{1,2}}', '{{1}}', 2)",
            "22023",
            "the values' 1 dim",
            "Each head",
        ),
        ("ruvector_multi_head_attention('{1}', '{{1}}', '{{1}}', 0)", "22023", "num_heads is 0", None),
        (
            "ruvector_sparse_attention('{1}', '{{1}}', '{{1}}', pattern => 'x')",
            "22023",
            "one of strided, fixed",
            "Which",
        ),
        (
            "ruvector_sliding_window_attention('{1}', '{{1}}', '{{1}}', 1, 0)",
            "22023",
            "window_size is 0",
            "default",
        ),
        (
            "ruvector_flash_attention('{1e38}', '{{1e38}}', '{{1}}')",
            "22003",
            "row 1 of keys overflows",
            "temperature",
        ),
        ("ruvector_softmax('{}')", "22000", "logits has no elements", "Write it"),
        ("ruvector_softmax('{NaN}')", "22000", "nan at position 1", "Write it"),
        (
            "ruvector_attention_scores('{1}', '{{1}}', 'sinkhorn')",
            "0A000",
            "all queries together",
            "cross_attention",
        ),
        (
            "ruvector_attention_scores('{1}', '{{1}}', 'x')",
            "22023",
            "unknown attention mechanism 'x'",
            "Known",
        ),
    ],
)
def test_bad_input_is_an_error_with_a_hint(failure, call, state, message, hint):
    diag = failure(f"SELECT {call}")
    assert diag.sqlstate == state
    assert message in diag.message_primary
    assert hint is None or hint in diag.message_hint


@pytest.mark.bundled
def test_functions_over_arrays_are_immutable_and_parallel_safe(rows):
    labels = rows(
        "SELECT proname, provolatile, proparallel FROM pg_proc"
        " WHERE proname ~ '^ruvector_.*attention$|softmax'"
        " AND NOT proretset AND proname <> 'ruvector_attention_pool'"
    )
    assert len(labels) >= 14
    assert {row[1:] for row in labels} == {("i", "s")}
