"""Hyperbolic geometry in SQL: functions, and the mechanisms in mha_search."""

from math import acosh, cosh, sinh, sqrt
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Connection

KEYS = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32) / 12
QUERY = np.random.default_rng(2).normal(size=8).astype(np.float32) / 12
IDS = np.arange(200) * 2 + 2


@pytest.fixture
def keys(db: Connection[Any]) -> Connection[Any]:
    db.execute("CREATE TABLE points (id bigint PRIMARY KEY, v real[])")
    rows = [(int(i), key.tolist()) for i, key in zip(IDS, KEYS, strict=True)]
    db.cursor().executemany("INSERT INTO points VALUES (%s, %s)", rows)
    return db


def one(db: Connection[Any], expression: str, *values: Any) -> Any:
    return db.execute(f"SELECT {expression}".encode(), values or None).fetchall()[0][0]


def poincare(x: Any, y: Any, c: float = 1.0) -> float:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    ratio = np.dot(x - y, x - y) / ((1 - c * np.dot(x, x)) * (1 - c * np.dot(y, y)))
    return acosh(1 + 2 * c * ratio) / sqrt(c)


@pytest.mark.parametrize("name", ["hyperbolic", "poincare"])
@pytest.mark.parametrize(
    ("argument", "c"), [("", 1.0), (", 0.5", 0.5), (", -0.5", 0.5), (", curvature := 2", 2.0)]
)
def test_the_poincare_distance_takes_both_signs(
    db: Connection[Any], name: str, argument: str, c: float
) -> None:
    found = one(db, f"ruvector_{name}_distance('{{0.1, 0.2}}', '{{-0.3, 0.4}}'{argument})")
    assert found == pytest.approx(poincare([0.1, 0.2], [-0.3, 0.4], c), rel=1e-6)


def test_arguments_have_names(db: Connection[Any]) -> None:
    found = one(db, "ruvector_hyperbolic_distance(a := '{0.1}', b := '{0.2}', curvature := 1.0)")
    assert found == pytest.approx(poincare([0.1], [0.2]), rel=1e-6)


@pytest.mark.parametrize("kind", ["real[]", "float8[]", "numeric[]", "text", "attention_vector"])
def test_every_spelling_of_a_vector_is_taken(db: Connection[Any], kind: str) -> None:
    found = one(db, f"ruvector_hyperbolic_distance('{{0.5, 0}}'::{kind}, '{{0, 0.25}}'::{kind})")
    assert found == pytest.approx(poincare([0.5, 0], [0, 0.25]), rel=1e-6)


def test_double_precision_is_kept(db: Connection[Any]) -> None:
    found = one(db, "ruvector_poincare_distance('{0.1}'::float8[], '{0.1000000001}'::float8[])")
    assert found == pytest.approx(2e-10 / (1 - 0.01), rel=1e-5)


def test_ball_and_hyperboloid(db: Connection[Any]) -> None:
    factor = 2 / (1 - 2 * 0.18)
    on_sheet = [sqrt(1 / 2 + 0.18 * factor**2), 0.3 * factor, 0.3 * factor]
    assert one(db, "ruvector_poincare_to_lorentz('{0.3, 0.3}', 2)") == pytest.approx(on_sheet, rel=1e-6)
    back = one(db, "ruvector_lorentz_to_poincare(ruvector_poincare_to_lorentz('{0.3, 0.3}', 2), 2)")
    assert back == pytest.approx([0.3, 0.3], rel=1e-6)


def test_mobius_sum_exp_and_log(db: Connection[Any]) -> None:
    x, y = np.array([0.1, 0.2]), np.array([0.3, -0.1])
    xy, xx, yy = x @ y, x @ x, y @ y
    total = ((1 + 2 * xy + yy) * x + (1 - xx) * y) / (1 + 2 * xy + xx * yy)
    assert one(db, "ruvector_mobius_add('{0.1, 0.2}', '{0.3, -0.1}')") == pytest.approx(total, rel=1e-6)
    back = one(
        db,
        "ruvector_exp_map('{0.1, 0.2}', ruvector_log_map('{0.1, 0.2}'::real[], '{0.3, -0.1}'::real[])::text)",
    )
    assert back == pytest.approx(y, rel=1e-6)


def test_lorentz_distance_and_minkowski_dot(db: Connection[Any]) -> None:
    a, b = [cosh(1), sinh(1)], [cosh(2.5), -sinh(2.5)]
    assert one(db, "ruvector_lorentz_distance(%s::float8[], %s::float8[])", a, b) == pytest.approx(
        3.5, rel=1e-6
    )
    assert one(db, "ruvector_minkowski_dot('{2, 3}', '{5, 7}')") == 11


OUTSIDE = "ruvector_poincare_distance('{0, 0}', '{3, 4}')"
AT_THE_EDGE = "ruvector_hyperbolic_distance('{1, 0}', '{0, 0}')"


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (AT_THE_EDGE, "a lies at the edge of the ball of radius 1, its norm is 1"),
        (OUTSIDE, "b lies outside of the ball of radius 1, its norm is 5"),
        ("ruvector_hyperbolic_distance('{0}', '{0.1}', 0)", "curvature is 0.0, its size must lie in"),
        ("ruvector_hyperbolic_distance('{0}', '{0.1}', 'NaN')", "curvature is nan, its size must lie in"),
        ("ruvector_hyperbolic_distance('{0}', '{0.1, 0.2}')", "a has 1 dimensions, b has 2"),
        ("ruvector_lorentz_distance('{1, 0}', '{1, 1}')", "b does not lie on the hyperboloid of curva"),
        ("ruvector_minkowski_dot('{1e38}', '{1e38}')", "the result of ruvector_minkowski_dot overflows"),
    ],
)
def test_bad_input_is_an_error_with_both_values_and_a_hint(
    db: Connection[Any], call: str, message: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        one(db, call)
    assert (caught.value.diag.message_primary or "").startswith(message)
    assert caught.value.diag.message_hint
    assert caught.value.diag.sqlstate in ("22023", "22003")


def test_null_is_null(db: Connection[Any]) -> None:
    assert one(db, "ruvector_hyperbolic_distance(NULL::real[], '{0.1}'::real[])") is None


def logits(name: str, heads: int, c: float) -> np.ndarray:
    """Logits (heads, rows), as the formulas read."""
    found = np.empty((heads, len(KEYS)))
    for head in range(heads):
        part = slice(head * 8 // heads, (head + 1) * 8 // heads)
        q = QUERY[part].astype(np.float64)
        for row, key in enumerate(KEYS[:, part].astype(np.float64)):
            if name == "poincare":
                found[head, row] = -poincare(q, key, c)
            elif name == "lorentz":
                inner = q @ key - sqrt(1 / c + q @ q) * sqrt(1 / c + key @ key)
                found[head, row] = (2 / c + 2 * inner) / sqrt(len(q))
            else:
                rq, rk = np.linalg.norm(q), np.linalg.norm(key)
                s = sqrt(c)
                cosine = q @ key / rq / rk
                found[head, row] = (
                    -acosh(cosh(s * rq) * cosh(s * rk) - sinh(s * rq) * sinh(s * rk) * cosine) / s
                )
    return found


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("curvature", [-0.5, 2.0])
@pytest.mark.parametrize("name", ["hyperbolic", "poincare", "lorentz"])
def test_mha_search_by_hyperbolic_distances(
    keys: Connection[Any], name: str, curvature: float, heads: int
) -> None:
    found = keys.execute(
        "SELECT id, score, logit, head_scores, lse FROM mha_search WHERE table_name = 'points'"
        " AND query = %s::real[]"
        " AND attention_type = %s AND num_heads = %s AND temperature = 0.5"
        " AND options = jsonb_build_object('curvature', %s::float8)",
        [QUERY.tolist(), name, heads, curvature],
    ).fetchall()
    expected = logits(name, heads, abs(curvature)) / 0.5
    weights = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    order = np.lexsort((IDS, -weights.mean(axis=0)))
    assert [row[0] for row in found] == IDS[order].tolist()
    np.testing.assert_allclose([row[1] for row in found], weights.mean(axis=0)[order], rtol=1e-5)
    np.testing.assert_allclose([row[2] for row in found], expected.mean(axis=0)[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose([row[3] for row in found], weights.T[order], rtol=1e-5)
    np.testing.assert_allclose(found[0][4], np.log(np.exp(expected).sum(axis=1)), rtol=1e-7)


def test_a_row_outside_of_the_ball_is_named_by_its_id(keys: Connection[Any]) -> None:
    keys.execute("INSERT INTO points VALUES (777, '{2,0,0,0,0,0,0,0}')")
    search = (
        "SELECT id, logit FROM mha_search WHERE table_name = 'points' AND query_id = 2"
        " AND attention_type = 'poincare'"
    )
    with pytest.raises(psycopg.Error) as caught:
        keys.execute(search)
    error = caught.value.diag
    assert error.message_primary == "points.v of id 777 lies outside of the ball of radius 1, its norm is 2"
    assert error.sqlstate == "22000"
    assert '{"project": true}' in (error.message_hint or "")


def test_projection_says_how_many_rows_it_moved(keys: Connection[Any]) -> None:
    keys.execute("INSERT INTO points VALUES (777, '{2,0,0,0,0,0,0,0}')")
    notices: list[str | None] = []
    keys.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    found = keys.execute(
        "SELECT id FROM mha_search WHERE table_name = 'points' AND query_id = 2"
        " AND attention_type = 'poincare' AND options = '{\"project\": true}'"
    ).fetchall()
    assert found[-1] == (777,)
    assert notices == ["1 of 201 vectors lie outside of the ball and were projected onto it"]


@pytest.mark.bundled
@pytest.mark.parametrize("form", ["real[]", "jsonb"])
def test_the_function_gives_the_centroid(db: Connection[Any], form: str) -> None:
    brackets = "[[0.3, 0], [0.3, 0]]" if form == "jsonb" else "{{0.3, 0}, {0.3, 0}}"
    found = one(
        db,
        f"ruvector_hyperbolic_attention('{{0.1, 0.2}}'::real[], '{brackets}'::{form}, '{brackets}'::{form})",
    )
    assert found == pytest.approx([0.3, 0], rel=1e-6, abs=1e-8)
    unequal = one(
        db, "ruvector_moe_attention('{1,0}', '{{1,0},{9,9}}', '{{5,5},{7,7}}', num_experts := 2, top_k := 1)"
    )
    assert unequal == [7, 7]


def test_a_bad_option_is_an_error_before_the_remark_on_projected_points(failure):
    error = failure(
        "SELECT * FROM sliding_attention WHERE embeddings = '{{0.1,0.2},{0.3,0.4}}'"
        " AND attention_type = 'poincare' AND options = '{\"curvature\": 0, \"project\": true}'"
    )
    assert error.sqlstate == "22023"
    assert error.message_primary.startswith("curvature is 0.0")


def test_heads_that_do_not_divide_are_an_error_before_the_remark_on_projected_points(failure):
    error = failure(
        "SELECT * FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND num_heads = 3"
        " AND attention_type = 'poincare' AND options = '{\"project\": true}'"
    )
    assert error.sqlstate == "22023"
    assert error.message_primary == "num_heads is 3, which does not divide the query's 8 dimensions"
