"""Late interaction: several query vectors against several vectors in each row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

RANDOM = np.random.default_rng(43)
COUNTS = RANDOM.integers(1, 7, 40)
SETS = [RANDOM.normal(size=(count, 12)).astype(np.float32) for count in COUNTS]
QUERIES = RANDOM.normal(size=(5, 12)).astype(np.float32)
SEARCH = "SELECT id, score, logit, rank, lse FROM mha_search WHERE attention_type = 'max_sim'"


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    """`passages` with two-dimensional arrays, and `tokens` with a row for each vector, in no order."""
    db.execute("CREATE TABLE passages (id int PRIMARY KEY, matrix real[])")
    rows = [(number * 3, vectors.tolist()) for number, vectors in enumerate(SETS)]
    db.cursor().executemany("INSERT INTO passages VALUES (%s, %s)", rows)
    tokens = [(number * 3, vector.tolist()) for number, vectors in enumerate(SETS) for vector in vectors]
    db.execute("CREATE TABLE tokens (passage int, v real[])")
    order = np.random.default_rng(1).permutation(len(tokens))
    db.cursor().executemany("INSERT INTO tokens VALUES (%s, %s)", [tokens[place] for place in order])
    return db


def expected(
    cosine: bool = False, temperature: float = 1.0, of: Any = QUERIES
) -> dict[int, tuple[float, float]]:
    """Id -> (score, logit), computed in float64 as the formula reads."""
    logits = []
    for vectors in SETS:
        products = np.einsum("ip,lp->il", of.astype(np.float64), vectors.astype(np.float64))
        if cosine:
            products /= np.linalg.norm(of.astype(np.float64), axis=1)[:, None]
            products /= np.linalg.norm(vectors.astype(np.float64), axis=1)
        logits.append(products.max(axis=1).sum() / temperature)
    weights = np.exp(np.array(logits) - max(logits))
    return {n * 3: (w / weights.sum(), x) for n, (w, x) in enumerate(zip(weights, logits, strict=True))}


def check(rows: list[tuple[Any, ...]], answer: dict[int, tuple[float, float]]) -> None:
    best_first = sorted(answer, key=lambda row_id: -answer[row_id][0])
    assert [row[0] for row in rows] == best_first
    assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
    for row_id, score, logit, _, _ in rows:
        assert (score, logit) == pytest.approx(answer[row_id], rel=1e-5)
    logits = np.array([logit for _, logit in answer.values()])
    assert rows[0][4] == [pytest.approx(np.log(np.exp(logits - logits.max()).sum()) + logits.max(), rel=1e-7)]


def run(db: Connection[Any], clauses: str, *values: Any) -> list[tuple[Any, ...]]:
    return db.execute(f"{SEARCH} AND {clauses}".encode(), values).fetchall()


@pytest.mark.parametrize(
    ("option", "cosine", "temperature"), [("{}", False, 1.0), ('{"cosine": true}', True, 0.1)]
)
def test_two_dimensional_arrays(db: Connection[Any], option: str, cosine: bool, temperature: float) -> None:
    clauses = "table_name = 'passages' AND queries = %s::real[] AND options = %s AND temperature = %s"
    rows = run(db, clauses, QUERIES.tolist(), option, temperature)
    check(rows, expected(cosine, temperature))


def test_a_table_with_a_row_for_each_vector(db: Connection[Any]) -> None:
    rows = run(
        db, "table_name = 'tokens' AND id_column = 'passage' AND queries = %s::real[]", QUERIES.tolist()
    )
    check(rows, expected())


@pytest.mark.bundled
def test_a_token_table_with_ids_of_another_type(db: Connection[Any]) -> None:
    db.execute("""
        CREATE TABLE named AS SELECT 'passage ' || passage AS name, v FROM tokens;
        CREATE FOREIGN TABLE late (name text, score real, queries real[]) SERVER ruattn
        OPTIONS (operation 'mha_search', table_name 'named', id_column 'name', attention_type 'max_sim')
    """)
    found = db.execute(
        "SELECT name, score FROM late WHERE queries = %s::real[]", [QUERIES.tolist()]
    ).fetchall()
    answer = expected()
    assert [row[0] for row in found] == [f"passage {n}" for n in sorted(answer, key=lambda n: -answer[n][0])]


@pytest.mark.usefixtures("pgvector")
@pytest.mark.parametrize(("element", "tolerance"), [("vector", 1e-5), ("halfvec", 2e-2)])
def test_arrays_of_pgvectors_types(db: Connection[Any], element: str, tolerance: float) -> None:
    db.execute("CREATE EXTENSION vector")
    db.execute(
        f"""
        CREATE TABLE single AS SELECT passage AS id, v::vector::{element} AS v FROM tokens;
        CREATE TABLE packed AS SELECT id, array_agg(v) AS v FROM single GROUP BY id
    """.encode()
    )
    answer = expected()
    for table in ("packed", "single"):
        rows = run(db, f"table_name = '{table}' AND queries = %s::real[]", QUERIES.tolist())
        assert {row[0]: row[2] for row in rows} == pytest.approx(
            {n: logit for n, (_, logit) in answer.items()}, rel=tolerance, abs=tolerance
        )


def test_one_query_vector_and_a_row_as_the_query(db: Connection[Any]) -> None:
    rows = run(db, "table_name = 'passages' AND query = %s::real[]", QUERIES[0].tolist())
    check(rows, expected(of=QUERIES[:1]))
    rows = run(db, "table_name = 'tokens' AND id_column = 'passage' AND query_id = 6 AND k = 1000")
    check(rows, expected(of=SETS[2]))


def test_candidates_and_k(db: Connection[Any]) -> None:
    for table, id_column in (("passages", "id"), ("tokens", "passage")):
        clauses = f"table_name = '{table}' AND id_column = '{id_column}' AND queries = %s::real[]"
        rows = run(db, f"{clauses} AND candidates = '{{3,6,9,3,1}}'", QUERIES.tolist())
        assert sorted(row[0] for row in rows) == [3, 6, 9]
        assert sum(row[1] for row in rows) == pytest.approx(1, rel=1e-6)
        assert run(db, f"{clauses} AND k = 2", QUERIES.tolist()) == run(db, clauses, QUERIES.tolist())[:2]
        assert run(db, f"{clauses} AND candidates = '{{}}'", QUERIES.tolist()) == []


def test_queries_gathered_in_sql(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE question (n int, v real[])")
    db.cursor().executemany("INSERT INTO question VALUES (%s, %s)", list(enumerate(QUERIES.tolist())))
    rows = run(db, "table_name = 'passages' AND queries = (SELECT array_agg(v ORDER BY n) FROM question)")
    check(rows, expected())


def test_rows_without_vectors_are_no_keys(db: Connection[Any]) -> None:
    db.execute("INSERT INTO passages VALUES (1000, NULL)")
    check(run(db, "table_name = 'passages' AND queries = %s::real[]", QUERIES.tolist()), expected())


def test_equal_sets_are_ordered_by_id(db: Connection[Any]) -> None:
    db.execute(
        "CREATE TABLE equal AS"
        " SELECT i AS id, matrix AS v FROM generate_series(90, 1, -1) i, passages WHERE id = 3"
    )
    rows = run(db, "table_name = 'equal' AND queries = %s::real[]", QUERIES.tolist())
    assert [row[0] for row in rows] == list(range(1, 91))
    assert len({row[1] for row in rows}) == 1


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        ("queries = '{{1,2}}'", "queries has 2 dimensions, passages.matrix has 12"),
        ("query = '{1,2}'", "query has 2 dimensions, passages.matrix has 12"),
        ("query_id = 1", "query_id 1 is not in passages.id"),
        ("queries = '{{1,2}}' AND num_heads = 2", "num_heads is 2, max_sim takes whole vectors"),
        ("queries = '{1,2}'", "queries must have two dimensions, got 1"),
        ("queries = '{{1,2}}' AND query = '{1}'", "query and queries are both given"),
        ("queries = '{{1,2}}' AND options = '{\"cosin\": true}'", "max_sim has no option 'cosin'"),
        ("queries = '{{1,2}}' AND order_column = 'id'", 'parameter "order_column" is not used by max_sim'),
    ],
)
def test_bad_parameters(db: Connection[Any], clauses: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as caught:
        run(db, f"table_name = 'passages' AND {clauses}")
    assert caught.value.diag.message_hint


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'{}'", "is empty"),
        ("'{{{1,2}}}'", "has more than two dimensions"),
        ("'{{1,NULL}}'", "has a NULL element"),
        ("'{{1,2}}'", "has 2 dimensions, the rows before it have 12"),
        ("array_fill('NaN'::real, ARRAY[2,12])", "has an element that is NaN or infinite"),
    ],
)
def test_bad_rows_are_named(db: Connection[Any], value: str, message: str) -> None:
    db.execute(f"INSERT INTO passages VALUES (1000, {value})".encode())
    with pytest.raises(psycopg.Error, match=f"passages.matrix of the row with id 1000 {message}") as caught:
        run(db, "table_name = 'passages' AND queries = %s::real[]", QUERIES.tolist())
    assert caught.value.diag.message_hint


@pytest.mark.usefixtures("pgvector")
def test_bad_arrays_of_vectors(db: Connection[Any]) -> None:
    db.execute("CREATE EXTENSION vector; CREATE TABLE p (id int, v vector[])")
    for value, message in (
        ("ARRAY['[1,2]', NULL]::vector[]", "has a NULL element"),
        ("ARRAY['[1,2]', '[1,2,3]']::vector[]", "has vectors of different lengths"),
        ("ARRAY[ARRAY['[1,2]']]::vector[]", "has more than one dimension"),
        ("'{}'", "is empty"),
    ):
        db.execute(f"TRUNCATE p; INSERT INTO p VALUES (7, {value})".encode())
        with pytest.raises(psycopg.Error, match=f"p.v of the row with id 7 {message}"):
            run(db, "table_name = 'p' AND query = '{1,2}'")


def test_queries_belong_to_mechanisms_for_sets(db: Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match='"queries" is not used by cosine') as caught:
        db.execute(
            "SELECT id FROM mha_search"
            " WHERE table_name = 'passages' AND queries = '{{1}}' AND attention_type = 'cosine'"
        )
    assert "max_sim" in str(caught.value.diag.message_hint)


@pytest.mark.bundled
def test_memory_is_bounded(db: Connection[Any], connect: Callable[..., Connection[Any]]) -> None:
    db.execute(
        "CREATE TABLE big AS"
        " SELECT i AS id, array_fill(1::real, ARRAY[100,100]) AS v FROM generate_series(1, 60) i"
    )
    db.execute("SET ruattn_fdw.max_memory = '2MB'")
    with pytest.raises(psycopg.errors.OutOfMemory, match=r"more than ruattn_fdw\.max_memory = 2 MB"):
        run(db, "table_name = 'big' AND query = array_fill(1::real, ARRAY[100])")
