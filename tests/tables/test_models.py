"""The parameter model: attention over vectors that learned weights have projected."""

import numpy as np
import pytest
from ruattn_fdw.kernels.registry import MECHANISMS

pytestmark = pytest.mark.bundled

RANDOM = np.random.RandomState(1)
WEIGHTS = {f"W_{role}": RANDOM.standard_normal((8, 12)).astype(np.float32) / 4 for role in "qkv"}
WEIGHTS |= {f"b_{role}": RANDOM.standard_normal(12).astype(np.float32) for role in "qkv"}
WEIGHTS |= {"W_o": RANDOM.standard_normal((12, 5)).astype(np.float32), "b_o": np.arange(5, dtype=np.float32)}
LAYERS = [m for m in MECHANISMS if m.training and "W_o" in m.training.tensors and not m.training.required]
OPTIONS = {"grouped_query": '{"num_kv_heads": 2}', "sheaf": '{"maps": "identity"}'}
QUERY = "(SELECT embedding FROM documents WHERE id = 3)"


@pytest.fixture
def store(documents):
    def write(name, tensors):
        rows = [(name, tensor, list(a.shape), a.ravel().tolist()) for tensor, a in tensors.items()]
        documents.execute("DELETE FROM ruattn_weights WHERE name = %s", (name,))
        documents.cursor().executemany(
            "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES (%s, %s, %s, %s)", rows
        )

    write("layer", WEIGHTS)
    return write


@pytest.fixture
def projected(documents, rows, store):
    """Tables of the vectors that the weights make of the documents, by numpy."""
    found = rows("SELECT id, embedding FROM documents ORDER BY id")
    vectors = np.array([embedding for _, embedding in found], np.float64)
    made = {role: vectors @ WEIGHTS[f"W_{role}"] + WEIGHTS[f"b_{role}"] for role in "qkv"}
    documents.execute("CREATE TABLE asked (id int PRIMARY KEY, q real[])")
    documents.execute("CREATE TABLE known (id int PRIMARY KEY, k real[], v real[])")
    for place, (row_id, _) in enumerate(found):
        q, k, v = (made[role][place].tolist() for role in "qkv")
        documents.execute("INSERT INTO asked VALUES (%s, %s)", (row_id, q))
        documents.execute("INSERT INTO known VALUES (%s, %s, %s)", (row_id, k, v))


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("mechanism", LAYERS, ids=lambda m: m.name)
def test_attention_is_that_over_projected_vectors(rows, mechanism):
    options = OPTIONS.get(mechanism.name, "{}")
    heads = 1 if mechanism.whole else 2
    order = " AND order_column = 'id'" if mechanism.needs_order(_defaults(mechanism)) else ""
    settings = (
        f" AND attention_type = '{mechanism.name}' AND num_heads = {heads} AND options = '{options}'{order}"
    )
    found = rows(
        "SELECT query_id, output, lse FROM attention WHERE table_name = 'documents'"
        f" AND query_table = 'documents' AND model = 'layer'{settings}"
    )
    wanted = rows(
        "SELECT query_id, output, lse FROM attention WHERE table_name = 'known' AND vector_column = 'k'"
        f" AND value_column = 'v' AND query_table = 'asked'{settings}"
    )
    assert len(found) == 12
    for (query_id, output, lse), (same_id, summed, same_lse) in zip(found, wanted, strict=True):
        assert query_id == same_id
        expected = np.array(summed) @ WEIGHTS["W_o"] + WEIGHTS["b_o"]
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(lse or [], same_lse or [], rtol=1e-5, atol=1e-5)


def _defaults(mechanism):
    return {option.name: option.default for option in mechanism.parameters}


@pytest.mark.usefixtures("projected")
@pytest.mark.parametrize("k", ["", " AND k = 4"])
@pytest.mark.parametrize("index", [None, "float32", "int8"])
def test_a_search_ranks_by_projected_vectors(documents, rows, index, k):
    if index:
        documents.execute(
            f"CREATE INDEX ON documents USING ruvector_attention (embedding) WITH (dtype = '{index}')"
        )
    result = "SELECT id, score, logit FROM mha_search WHERE num_heads = 2"
    found = rows(f"{result} AND table_name = 'documents' AND query = {QUERY} AND model = 'layer'{k}")
    wanted = rows(
        f"{result} AND table_name = 'known' AND vector_column = 'k'"
        f" AND query = (SELECT q FROM asked WHERE id = 3){k}"
    )
    assert [row[0] for row in found] == [row[0] for row in wanted]
    np.testing.assert_allclose([row[1:] for row in found], [row[1:] for row in wanted], rtol=1e-4)
    by_id = rows(f"{result} AND table_name = 'documents' AND query_id = 3 AND model = 'layer'{k}")
    assert by_id == found


@pytest.mark.usefixtures("projected")
def test_cross_attention_projects_both_sides(rows):
    result = "SELECT query_id, doc_id, score FROM cross_attention WHERE k = 2"
    found = rows(
        f"{result} AND query_table = 'documents' AND document_table = 'documents' AND model = 'layer'"
    )
    wanted = rows(
        f"{result} AND query_table = 'asked' AND document_table = 'known' AND document_column = 'k'"
    )
    assert [row[:2] for row in found] == [row[:2] for row in wanted]
    np.testing.assert_allclose([row[2] for row in found], [row[2] for row in wanted], rtol=1e-5)


@pytest.mark.usefixtures("projected")
def test_each_window_is_projected(rows):
    found = rows(
        "SELECT position, output FROM sliding_attention WHERE table_name = 'documents'"
        " AND order_column = 'id' AND window_size = 12 AND stride = 12 AND num_heads = 2 AND model = 'layer'"
    )
    wanted = rows(
        "SELECT query_id, output FROM attention WHERE table_name = 'documents' AND query_table = 'documents'"
        " AND num_heads = 2 AND model = 'layer'"
    )
    np.testing.assert_allclose([row[1] for row in found], [row[1] for row in wanted], rtol=1e-5, atol=1e-6)
    vector = "{" + ",".join("1" * 8) + "}"
    [(output,)] = rows(
        "SELECT output FROM sliding_attention WHERE embeddings = %s AND model = 'layer'", f"{{{vector}}}"
    )
    value = np.ones(8) @ WEIGHTS["W_v"] + WEIGHTS["b_v"]
    np.testing.assert_allclose(output, value @ WEIGHTS["W_o"] + WEIGHTS["b_o"], rtol=1e-5, atol=1e-5)


def test_what_a_set_lacks_stays_as_it_is(rows, store):
    swapped = np.eye(8, dtype=np.float32)[:, ::-1]
    store("keys", {"W_k": swapped, "W_q": swapped})
    result = f"SELECT output FROM attention WHERE table_name = 'documents' AND query = {QUERY}"
    # <qP, kP> = <q, k>, and values are the documents' own
    [(found,)], [(wanted,)] = rows(f"{result} AND model = 'keys'"), rows(result)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.usefixtures("store")
def test_values_of_a_column_are_projected_too(documents, rows):
    documents.execute("ALTER TABLE documents ADD v real[]")
    documents.execute("UPDATE documents SET v = array_fill(2::real, ARRAY[8])")
    [(output,)] = rows(
        f"SELECT output FROM attention WHERE table_name = 'documents' AND query = {QUERY} AND model = 'layer'"
        " AND vector_column = 'embedding' AND value_column = 'v'"
    )
    value = np.full(8, 2) @ WEIGHTS["W_v"] + WEIGHTS["b_v"]
    np.testing.assert_allclose(output, value @ WEIGHTS["W_o"] + WEIGHTS["b_o"], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("store")
def test_explain_names_the_model_and_its_tensors(plan):
    search = f"SELECT id FROM mha_search WHERE table_name = 'documents' AND query = {QUERY} AND num_heads = 2"
    assert "Projections: identity" in plan(search)
    shown = plan(f"{search} AND model = 'layer'")
    assert "Projections: user (W_q, b_q, W_k, b_k, W_v, b_v, W_o, b_o) of model layer" in shown
    assert "model = layer" in shown


def test_latent_keys_need_no_copy_of_their_own_width(rows, store):
    up = WEIGHTS["W_o"].T[:, :4]
    latent = {"W_DKV": WEIGHTS["W_k"][:, :5], "W_UK": up, "W_UV": up, "W_q": WEIGHTS["W_q"][:, :4]}
    store("latent", latent)
    straight = dict.fromkeys(("W_k", "W_v"), latent["W_DKV"] @ up)
    store("straight", {**straight, "W_q": latent["W_q"]})
    query = f"WHERE table_name = 'documents' AND query = {QUERY} AND num_heads = 2"
    for columns, table in (("output, lse", "attention"), ("id, score", "mha_search")):
        found, wanted = (
            rows(f"SELECT {columns} FROM {table} {query} AND attention_type = '{kind}' AND model = '{model}'")
            for kind, model in (("multi_head_latent", "latent"), ("multi_head", "straight"))
        )
        for row, other in zip(found, wanted, strict=True):
            for a, b in zip(row, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


TABLES = {
    "mha_search": f"table_name = 'documents' AND query = {QUERY}",
    "attention": "table_name = 'documents' AND query_table = 'documents'",
    "cross_attention": "query_table = 'documents' AND document_table = 'documents'",
    "sliding_attention": "table_name = 'documents' AND order_column = 'id'",
}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("table", TABLES)
def test_a_model_may_come_out_of_a_join(plan, rows, table):
    query = (
        "SELECT count(*) FROM (SELECT DISTINCT name FROM ruattn_weights) w"
        f" JOIN {table} t ON t.model = w.name"
        f" WHERE {TABLES[table]} AND t.num_heads = 2"
    )
    assert rows(query)[0][0] >= 12
    assert "w.name" in plan(query).replace("ruattn_weights.name", "w.name")
    assert "of model layer" in plan(f"SELECT FROM {table} WHERE {TABLES[table]} AND model = 'layer'")


SEARCH = f"SELECT id FROM mha_search WHERE table_name = 'documents' AND query = {QUERY} AND num_heads = 1"
REFUSED = {
    "model = 'lyer'": (
        "22023",
        'model "lyer" does not exist',
        'Perhaps you meant "layer". Valid models: gate, keys, layer, narrow, torn.',
    ),
    "model = 'layer' AND attention_type = 'hopfield'": (
        "0A000",
        'model is "layer", but hopfield takes no weights',
        "Leave it out, or choose a mechanism that does: scaled_dot, multi_head, ",
    ),
    "model = 'narrow'": (
        "22023",
        "query has 8 dimensions, W_q of the model takes 4",
        "Name a model that was trained on such vectors, or other vectors.",
    ),
    "model = 'torn'": (
        "22023",
        'model "torn": W_q has the shape (8, 2), W_k (8, 3)',
        "Axis 2 of W_q must be as long as axis 2 of W_k.",
    ),
    "model = 'keys'": (
        "22023",
        "query has 8 dimensions, W_k of the model gives 12",
        "The model lacks W_q, which makes them the same.",
    ),
    "model = 'keys' AND attention_type = 'cosine'": (
        "22023",
        "query has 8 dimensions, documents.embedding has 12",
        "Both must come from the same model.",
    ),
    "model = 'gate'": (
        "22023",
        'model "gate": multi_head takes none of the tensors gate',
        "A set for it has one or more of W_q, b_q, ",
    ),
}


@pytest.mark.parametrize("clause", REFUSED)
def test_a_model_that_does_not_fit_is_an_error(failure, store, clause):
    store("narrow", {"W_q": np.eye(4)})
    store("torn", {"W_q": np.ones((8, 2)), "W_k": np.ones((8, 3))})
    store("gate", {"gate": np.eye(8)})
    store("keys", {"W_k": WEIGHTS["W_k"]})
    said = failure(f"{SEARCH} AND {clause}")
    sqlstate, message, hint = REFUSED[clause]
    assert said.sqlstate == sqlstate
    assert said.message_primary.startswith(message)
    assert said.message_hint.startswith(hint)


BAD = {
    "a negative axis": ("{-2,-2}", "{1,2,3,4}"),
    "no axis": ("{}", "{}"),
    "four axes": ("{1,1,1,1}", "{1}"),
    "an axis that is NULL": ("{NULL}", "{1}"),
    "too few numbers": ("{2,2}", "{1,2,3}"),
    "a NULL": ("{2}", "{1,NULL}"),
    "a NaN": ("{2}", "{1,NaN}"),
    "an infinity": ("{2}", "{1,-Infinity}"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_tensor_cannot_be_stored(failure, what):
    shape, data = BAD[what]
    insert = "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES ('bad', 'W_q', %s, %s)"
    assert failure(insert, shape, data).sqlstate == "23514"
