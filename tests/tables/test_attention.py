"""The table attention: outputs, entropy and log-sum-exp against float64."""

import numpy as np
import pytest

IDS = list(range(1, 13))


def embeddings(rows):
    return np.array([row[0] for row in rows("SELECT embedding FROM documents ORDER BY id")], np.float64)


def expected(query, keys, values, heads=1, temperature=1.0):
    outputs, entropies, lses = [], [], []
    for q, k, v in zip(*(np.split(a, heads, axis=-1) for a in (query, keys, values)), strict=True):
        logits = k @ q / np.sqrt(len(q)) / temperature
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        outputs.append(weights @ v)
        entropies.append(-(weights * np.log(weights)).sum())
        lses.append(np.log(np.exp(logits).sum()))
    return np.concatenate(outputs), np.mean(entropies), lses


@pytest.mark.parametrize("heads", [1, 4])
def test_a_query_given_as_a_vector_has_one_row(rows, heads):
    keys = embeddings(rows)
    [(query_id, output, entropy, lse)] = rows(
        "SELECT query_id, output, entropy, lse FROM attention WHERE table_name = 'documents'"
        " AND query = (SELECT embedding FROM documents WHERE id = 3) AND num_heads = %s",
        heads,
    )
    wanted = expected(keys[2], keys, keys, heads)
    assert query_id is None
    np.testing.assert_allclose(output, wanted[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(entropy, wanted[1], rtol=1e-5)
    np.testing.assert_allclose(lse, wanted[2], rtol=1e-6)


def test_every_row_of_a_query_table_asks_in_the_order_of_ids(rows):
    keys = embeddings(rows)
    found = rows(
        "SELECT query_id, output, entropy FROM attention WHERE table_name = 'documents'"
        " AND query_table = 'documents' AND temperature = 0.5"
    )
    assert [row[0] for row in found] == IDS
    for (_, output, entropy), query in zip(found, keys, strict=True):
        wanted = expected(query, keys, keys, temperature=0.5)
        np.testing.assert_allclose(output, wanted[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(entropy, wanted[1], rtol=1e-5)


@pytest.mark.parametrize("heads", [2, 8])
@pytest.mark.parametrize("kind", ["scaled_dot", "causal"])
def test_many_rows_ask_with_several_heads(rows, kind, heads):
    keys = embeddings(rows)
    order = " AND order_column = 'id'" if kind == "causal" else ""
    found = rows(
        "SELECT output, lse FROM attention WHERE table_name = 'documents' AND query_table = 'documents'"
        f" AND num_heads = %s AND attention_type = %s{order}",
        heads,
        kind,
    )
    for row, (output, lse) in enumerate(found):
        seen = keys[: row + 1] if kind == "causal" else keys
        wanted = expected(keys[row], seen, seen, heads)
        np.testing.assert_allclose(output, wanted[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(lse, wanted[2], rtol=1e-6, atol=1e-6)


def test_values_come_from_a_column_of_vectors_or_numbers(documents, rows):
    documents.execute("ALTER TABLE documents ADD price numeric, ADD payload double precision[]")
    documents.execute("UPDATE documents SET price = id * 1.5, payload = ARRAY[id, -id, 1]")
    keys = embeddings(rows)
    query = "SELECT output FROM attention WHERE table_name = 'documents' AND vector_column = 'embedding'"
    query += " AND query = (SELECT embedding FROM documents WHERE id = 3) AND value_column = %s"
    ids = np.arange(1.0, 13.0)
    for column, values in (("price", 1.5 * ids[:, None]), ("payload", np.c_[ids, -ids, np.ones(12)])):
        [(output,)] = rows(query, column)
        np.testing.assert_allclose(output, expected(keys[2], keys, values)[0], rtol=1e-5)


def test_each_row_of_a_causal_query_table_sees_the_rows_up_to_itself(documents, rows):
    documents.execute("ALTER TABLE documents ADD written timestamptz")
    documents.execute("UPDATE documents SET written = '2026-01-01'::timestamptz + interval '1 day' * id")
    keys = embeddings(rows)
    found = rows(
        "SELECT query_id, output FROM attention WHERE table_name = 'documents' AND query_table = 'documents'"
        " AND attention_type = 'causal' AND order_column = 'written'"
    )
    for row, (_, output) in enumerate(found):
        wanted = expected(keys[row], keys[: row + 1], keys[: row + 1])
        np.testing.assert_allclose(output, wanted[0], rtol=1e-5, atol=1e-6)


def test_rows_with_equal_positions_are_told_apart_by_id(documents, rows):
    documents.execute("ALTER TABLE documents ADD step int")
    documents.execute("UPDATE documents SET step = 7")
    keys = embeddings(rows)
    found = rows(
        "SELECT output FROM attention WHERE table_name = 'documents' AND query_table = 'documents'"
        " AND attention_type = 'sliding_window' AND order_column = 'step'"
        " AND options = '{\"window_size\": 1}'"
    )
    np.testing.assert_allclose([output for (output,) in found], keys, rtol=1e-6)


def test_a_query_that_sees_no_key_has_an_output_of_null(rows):
    assert rows(
        "SELECT output, entropy, lse FROM attention WHERE table_name = 'documents' AND order_column = 'id'"
        " AND query = '{1,0,0,0,0,0,0,0}' AND attention_type = 'causal' AND position = 0"
    ) == [(None, None, None)]
    assert rows(
        "SELECT output, entropy, lse FROM attention WHERE table_name = 'documents' AND candidates = '{}'"
        " AND query = '{1,0,0,0,0,0,0,0}'"
    ) == [(None, None, None)]


def test_candidates_restrict_the_keys(rows):
    keys = embeddings(rows)
    [(output,)] = rows(
        "SELECT output FROM attention WHERE table_name = 'documents' AND candidates = '{2,5}'"
        " AND query = (SELECT embedding FROM documents WHERE id = 3)"
    )
    wanted = expected(keys[2], keys[[1, 4]], keys[[1, 4]])
    np.testing.assert_allclose(output, wanted[0], rtol=1e-5, atol=1e-6)


@pytest.mark.bundled
def test_it_joins_laterally(rows):
    assert rows(
        "SELECT d.id FROM documents d, LATERAL (SELECT * FROM attention WHERE table_name = 'documents'"
        " AND query = d.embedding) a WHERE a.output IS NOT NULL ORDER BY d.id"
    ) == [(row,) for row in IDS]


def test_explain_names_sources_and_mechanism(plan):
    text = plan(
        "SELECT output FROM attention WHERE table_name = 'documents' AND query_table = 'documents'"
        " AND attention_type = 'causal' AND order_column = 'id' AND value_column = 'embedding'"
    )
    assert "Mechanism: causal" in text
    assert "Source: public.documents (id, embedding, id)" in text
    assert "Queries: public.documents (id, embedding)" in text


def test_explain_names_a_column_of_the_queries_that_is_not_known_yet(plan):
    text = plan(
        "SELECT a.output FROM (VALUES ('id')) v(name), attention a WHERE a.table_name = 'documents'"
        " AND a.query_table = 'documents' AND a.query_id_column = v.name || ''"
    )
    assert "Queries: " in text


QUERY = "query = '{1,0,0,0,0,0,0,0}'"


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clauses", "state", "message", "hint"),
    [
        ("query = '{1,0}'", "22023", "query has 2 dimensions, documents.embedding has 8", None),
        (
            f"{QUERY} AND query_id_column = 'id'",
            "22023",
            '"query_id_column" is given without query_table',
            "Leave it",
        ),
        (
            f"{QUERY} AND value_column = 'title'",
            "22023",
            "documents.title has type text",
            "Valid value columns",
        ),
        (f"{QUERY} AND value_column = 'titel'", "42703", 'column "titel"', "Valid columns"),
        (
            f"{QUERY} AND num_heads = 3",
            "22023",
            "num_heads is 3, which does not divide",
            "Values that fit: 1, 2, 4, 8",
        ),
        (
            f"{QUERY} AND num_heads = 8 AND value_column = 'id'",
            "22023",
            "the values' 1 dimensions",
            "Each head",
        ),
        (
            f"{QUERY} AND attention_type = 'causal'",
            "22023",
            'causal needs the parameter "order_column"',
            "are: id",
        ),
        (f"{QUERY} AND order_column = 'id'", "0A000", '"order_column" is not used by scaled_dot', "causal"),
        (f"{QUERY} AND position = 1", "0A000", '"position" is not used by scaled_dot', "causal"),
        (
            f"{QUERY} AND attention_type = 'causal' AND order_column = 'title'",
            "22023",
            "documents.title has type text, rows are ordered by numbers, dates or timestamps",
            "Valid order columns: id.",
        ),
        (f"{QUERY} AND model = 'm'", "22023", 'model "m" does not exist', "Valid models: none."),
        (
            f"{QUERY} AND query_table = 'documents'",
            "22023",
            "query and query_table are both given",
            "For example",
        ),
        ("num_heads = 1", "HV000", 'parameter "query" or "query_table"', "For example"),
        (
            "query_table = 'dokuments'",
            "42P01",
            'relation "dokuments" does not exist',
            'Perhaps you meant "documents"',
        ),
        (
            f"{QUERY} AND options = '{{\"x\": 1}}'",
            "22023",
            "scaled_dot has no option 'x'",
            "Valid options: scale.",
        ),
        ("query = '{NaN,0,0,0,0,0,0,0}'", "22000", "nan at position 1", None),
    ],
)
def test_bad_input_is_an_error_with_a_hint(failure, clauses, state, message, hint):
    diag = failure(f"SELECT output FROM attention WHERE table_name = 'documents' AND {clauses}")
    assert diag.sqlstate == state
    assert message in diag.message_primary
    assert hint is None or hint in diag.message_hint


def test_a_row_without_a_place_in_the_order_is_named(documents, failure):
    documents.execute("ALTER TABLE documents ADD step int")
    documents.execute("UPDATE documents SET step = id WHERE id <> 4")
    diag = failure(
        f"SELECT output FROM attention WHERE table_name = 'documents' AND {QUERY}"
        " AND attention_type = 'causal' AND order_column = 'step'"
    )
    assert (diag.sqlstate, diag.message_primary) == (
        "22000",
        "documents.step of the row with id 4 is NULL or NaN",
    )
    assert "view" in diag.message_hint


def test_an_infinite_timestamp_is_named(documents, failure):
    documents.execute("ALTER TABLE documents ADD written timestamp DEFAULT '2026-01-01'")
    documents.execute("UPDATE documents SET written = 'infinity' WHERE id = 9")
    diag = failure(
        f"SELECT output FROM attention WHERE table_name = 'documents' AND {QUERY}"
        " AND attention_type = 'causal' AND order_column = 'written'"
    )
    assert diag.message_primary == "documents.written of the row with id 9 is infinite"
