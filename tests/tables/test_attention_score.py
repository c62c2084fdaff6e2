from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

QUERY = np.random.default_rng(5).normal(size=24).astype(np.float32)
KEY = np.random.default_rng(6).normal(size=24).astype(np.float32)


def score(db: Connection[Any], clauses: str = "") -> float:
    """The score of QUERY and KEY, which must be the logit."""
    sql = f"SELECT score, logit FROM attention_score WHERE query = %s::real[] AND key = %s::real[]{clauses}"
    rows = db.execute(sql.encode(), [QUERY.tolist(), KEY.tolist()]).fetchall()
    assert len(rows) == 1
    assert rows[0][0] == rows[0][1]
    return float(rows[0][0])


def expected(heads: int, cosine: bool = False) -> float:
    query, key = (vector.astype(np.float64).reshape(heads, -1) for vector in (QUERY, KEY))
    dots = (query * key).sum(axis=1)
    if cosine:
        dots /= np.linalg.norm(query, axis=1) * np.linalg.norm(key, axis=1)
        return float(dots.mean() / 0.1)
    return float(dots.mean() / np.sqrt(query.shape[1]))


def test_the_logit_of_one_pair_by_every_mechanism(db: Connection[Any]) -> None:
    assert score(db) == pytest.approx(expected(1), rel=1e-6)
    for name, heads in (("scaled_dot", 1), ("flash_v2", 1), ("multi_head", 8)):
        clauses = f" AND attention_type = '{name}' AND num_heads = {heads}"
        assert score(db, clauses) == pytest.approx(expected(heads), rel=1e-6)
    for heads in (1, 3):
        clauses = f" AND attention_type = 'cosine' AND num_heads = {heads}"
        assert score(db, clauses) == pytest.approx(expected(heads, cosine=True), rel=1e-6)


def test_temperature_and_options(db: Connection[Any]) -> None:
    assert score(db, " AND temperature = 0.25") == pytest.approx(4 * expected(1), rel=1e-6)
    dot = float(QUERY.astype(np.float64) @ KEY)
    assert score(db, """ AND options = '{"scale": 0.5}'""") == pytest.approx(dot / 2, rel=1e-6)


def test_it_is_the_logit_of_the_search(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE one (id int PRIMARY KEY, v real[])")
    db.execute("INSERT INTO one VALUES (1, %s)", [KEY.tolist()])
    for name in ("scaled_dot", "multi_head", "flash_v2", "cosine"):
        logit = db.execute(
            "SELECT logit FROM mha_search WHERE table_name = 'one' AND query = %s::real[]"
            " AND attention_type = %s AND num_heads = 4",
            [QUERY.tolist(), name],
        ).fetchone()
        assert logit is not None
        found = score(db, f" AND attention_type = '{name}' AND num_heads = 4")
        assert found == pytest.approx(logit[0], rel=1e-6), name


@pytest.mark.bundled
def test_joined_to_a_table_it_scores_each_row(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE pairs (id int, v real[])")
    db.execute("INSERT INTO pairs VALUES (1, '{1,0}'), (2, '{0,1}'), (3, NULL)")
    rows = db.execute(
        "SELECT p.id, s.score FROM pairs p JOIN attention_score s ON s.key = p.v"
        " WHERE s.query = '{3,4}' AND s.options = '{\"scale\": 1}' ORDER BY p.id"
    ).fetchall()
    assert rows == [(1, 3.0), (2, 4.0)]


def test_shown_parameters_have_their_defaults(db: Connection[Any]) -> None:
    shown = db.execute(
        "SELECT attention_type, num_heads, temperature, options FROM attention_score"
        " WHERE query = '{1}' AND key = '{2}'"
    ).fetchall()
    assert shown == [("scaled_dot", 1, 1.0, None)]


def test_widths_must_agree(db: Connection[Any]) -> None:
    with pytest.raises(psycopg.Error, match="query has 2 dimensions, key has 3") as failure:
        db.execute("SELECT score FROM attention_score WHERE query = '{1,2}' AND key = '{1,2,3}'")
    assert failure.value.sqlstate == "22023"


def test_a_logit_beyond_single_precision_is_an_error(db: Connection[Any]) -> None:
    with pytest.raises(psycopg.Error, match="overflows single precision") as failure:
        db.execute("SELECT score FROM attention_score WHERE query = '{1e30}' AND key = '{1e30}'")
    assert failure.value.sqlstate == "22003"
    assert failure.value.diag.message_hint is not None


def test_extreme_values_within_range(db: Connection[Any]) -> None:
    cases = {
        "query = '{0,0}' AND key = '{1,1}' AND attention_type = 'cosine'": 0.0,
        "query = '{1e38}' AND key = '{1e38}' AND attention_type = 'cosine'": 10.0,
        "query = '{1e-44}' AND key = '{1e-44}' AND attention_type = 'cosine'": 10.0,
        "query = '{1e-44}' AND key = '{1e-44}'": 0.0,
        "query = '{1e30}' AND key = '{1e-30}'": 1.0,
    }
    found = {
        case: db.execute(f"SELECT score FROM attention_score WHERE {case}".encode()).fetchall()[0][0]
        for case in cases
    }
    assert found == pytest.approx(cases, rel=1e-6, abs=1e-30)


def test_the_function_is_the_table(db: Connection[Any]) -> None:
    for name in ("scaled_dot", "flash_v2", "cosine"):
        row = db.execute(
            "SELECT ruvector_attention_score(%s::real[], %s::real[], %s)",
            [QUERY.tolist(), KEY.tolist(), name],
        ).fetchone()
        assert row is not None
        assert row[0] == score(db, f" AND attention_type = '{name}'")


@pytest.mark.parametrize("mechanism", ["scaled_dot", "multi_head", "cosine"])
def test_the_function_follows_whichever_argument_changes(db: Connection[Any], mechanism: str) -> None:
    vectors = np.random.default_rng(7).normal(size=(5, 24)).astype(np.float32)
    values = ", ".join(f"({number}, %s::real[])" for number in range(len(vectors)))
    sql = (
        f"WITH v(id, x) AS MATERIALIZED (VALUES {values}) "
        f"SELECT ruvector_attention_score(q.x, k.x, '{mechanism}'), (SELECT logit FROM attention_score "
        f"WHERE query = q.x AND key = k.x AND attention_type = '{mechanism}') "
        "FROM v q, v k ORDER BY {}"
    )
    for order in ("q.id, k.id", "k.id, q.id"):
        rows = db.execute(sql.format(order).encode(), [vector.tolist() for vector in vectors]).fetchall()
        assert len({row[0] for row in rows}) > len(vectors)
        assert [row[0] for row in rows] == [row[1] for row in rows]


@pytest.mark.parametrize("mechanism", ["scaled_dot", "cosine"])
def test_the_function_finds_what_is_no_number_in_later_rows(db: Connection[Any], mechanism: str) -> None:
    for call in ("x, '{1, 2}'::real[]", "'{1, 2}'::real[], x"):
        with pytest.raises(psycopg.errors.DataException, match=r"NaN|finite"):
            db.execute(
                "SELECT ruvector_attention_score("  # the settings are ready by then
                f"{call}, '{mechanism}') FROM (VALUES ('{{3, 4}}'::real[]), ('{{NaN, 1}}')) AS v(x)".encode()
            )
