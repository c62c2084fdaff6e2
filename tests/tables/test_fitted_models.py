"""Gates and clusters that the command line fits: as those of a query, but kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest

from ruattn_fdw.cli.main import main
from ruattn_fdw.server.server import Server

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Fit = Callable[..., str]

SEARCH = (
    "SELECT id, score FROM mha_search WHERE table_name = 'points' AND query = '[1,2,3]' AND num_heads = 1"
)
ROUTE = "SELECT id, expert, weight FROM moe_route WHERE table_name = 'points'"


@pytest.fixture
def db(db: Connection) -> Connection:
    db.execute("CREATE TABLE points (id int PRIMARY KEY, v double precision[], other real[])")
    points = np.random.RandomState(6).standard_normal((300, 3)).round(3).tolist()
    db.cursor().executemany("INSERT INTO points VALUES (%s, %s)", list(enumerate(points)))
    db.execute("INSERT INTO points VALUES (1000, NULL)")
    db.execute("ALTER TABLE points DROP other")
    return db


@pytest.fixture
def fit(server: Server, database: str, capsys: pytest.CaptureFixture[str]) -> Fit:
    """Runs a command that fits; gives what it prints last."""

    def run(*arguments: str, fails: bool = False) -> str:
        target = ("--as", "fitted", "--uri", server.uri(database))
        assert main(["weights", *arguments, *target]) == int(fails)
        said = capsys.readouterr()
        return (said.err if fails else said.out).splitlines()[-1]

    return run


def same(db: Connection, first: str, second: str) -> None:
    found, wanted = (db.execute(query.encode()).fetchall() for query in (first, second))
    assert [row[:-1] for row in found] == [row[:-1] for row in wanted]
    np.testing.assert_allclose([row[-1] for row in found], [row[-1] for row in wanted], rtol=1e-4)


def test_experts_are_those_of_the_query(db: Connection, fit: Fit) -> None:
    assert (
        fit("fit-experts", "points", "--experts", "5", "--seed", "2")
        == "stored fitted: 5 experts of 300 rows"
    )
    stored = db.execute("SELECT tensor, shape, fitted_rows, stored_at IS NULL FROM ruattn_weights").fetchall()
    assert stored == [("gate", [5, 3], 300, False)]
    options = '{"num_experts": 5, "seed": 2}'
    moe = f"{SEARCH} AND attention_type = 'moe'"
    same(db, f"{moe} AND model = 'fitted'", f"{moe} AND options = '{options}'")
    kmeans = f'{ROUTE} AND num_experts = 5 AND options = \'{{"gate": "kmeans", "seed": 2}}\''
    same(db, f"{ROUTE} AND model = 'fitted'", kmeans)


def test_one_vector_goes_to_the_experts_of_the_model(db: Connection, fit: Fit) -> None:
    fit("fit-experts", "points")
    query = (
        "SELECT expert, weight, num_experts FROM moe_route WHERE embedding = '[1,2,3]' AND model = 'fitted'"
    )
    found = db.execute(query.encode()).fetchall()
    assert [row[2] for row in found] == [8, 8]
    assert sum(row[1] for row in found) == pytest.approx(1)
    lines = [row[0].strip() for row in db.execute(f"EXPLAIN {query}".encode())]
    assert "Gate: user (gate) of model fitted" in lines


def test_the_function_takes_the_gate_of_a_model(db: Connection) -> None:
    db.execute("""
        INSERT INTO ruattn_weights (name, tensor, shape, data)
        VALUES ('m', 'gate', '{3,2}', '{1,0, 0,1, 0,0}'), ('wide', 'gate', '{1,3}', '{1,0,0}')
    """)
    [(route,)] = db.execute("SELECT ruvector_moe_route('{1,3}', model := 'm')").fetchall()
    assert (route["gate"], route["expert_indices"]) == ("m", [1, 0])
    share = 1 / (1 + np.exp(-2))
    assert route["expert_weights"] == pytest.approx([share, 1 - share])
    [(route,)] = db.execute("SELECT ruvector_moe_route('{1,3}', 3, 1, 'm')").fetchall()
    assert (route["expert_indices"], route["expert_weights"]) == ([1], [1])
    for call, message in {
        "'{1,3}', 8, model := 'm'": 'num_experts is 8, model "m" has 3 experts',
        "'{1,3}', model := 'wide'": "top_k is 2, num_experts is 1",
        "'{1,3}', top_k := 1, model := 'wide'": "vectors have 2 dimensions, the gate of the model takes 3",
        "'{1,3}', model := 'n'": 'model "n" does not exist',
    }.items():
        with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
            db.execute(f"SELECT ruvector_moe_route({call})".encode())
        assert caught.value.diag.message_primary == message


def test_the_function_reads_the_model_in_parallel_workers(db: Connection) -> None:
    db.execute(
        "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES ('m', 'gate', '{1,3}', '{1,0,0}')"
    )
    db.execute(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
    )
    query = "SELECT ruvector_moe_route(v, top_k := 1, model := 'm') FROM points WHERE id < 300"
    assert "Gather" in str(db.execute(f"EXPLAIN {query}".encode()).fetchall())
    assert [route["gate"] for (route,) in db.execute(query.encode())] == ["m"] * 300


def test_clusters_are_those_of_the_query(db: Connection, fit: Fit) -> None:
    assert fit("fit-routing", "public.points", "--column", "v") == "stored fitted: 18 clusters of 300 rows"
    routing = f"{SEARCH} AND attention_type = 'routing'"
    same(db, f"{routing} AND model = 'fitted'", f"{routing} AND options = '{{\"n_clusters\": 18}}'")
    fit("fit-routing", "points", "--clusters", "4", "--replace")
    assert db.execute("SELECT shape FROM ruattn_weights").fetchall() == [([4, 3],)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit-experts", "nowhere"), 'relation "nowhere" does not exist in the database "test"'),
        (("fit-experts", "points", "--column", "id"), '"id" is no vector column of points; say which with'),
        (("fit-experts", "empty"), "empty.v has no vectors"),
        (("fit-experts", "ragged"), "ragged.v has vectors of 1 and 2 dimensions"),
        (("fit-experts", "wrong"), "wrong.v holds NaN or infinity"),
        (("fit-routing", "two"), "two has 2 vector columns; say which with --column: v, w"),
    ],
)
def test_what_cannot_be_fitted(db: Connection, fit: Fit, arguments: tuple[str, ...], message: str) -> None:
    db.execute("CREATE TABLE empty (v real[]); CREATE TABLE two (v real[], w real[])")
    db.execute("CREATE TABLE ragged AS SELECT '{1}'::real[] AS v UNION ALL SELECT '{1,2}'")
    db.execute("CREATE TABLE wrong AS SELECT '{NaN}'::real[] AS v")
    assert fit(*arguments, fails=True).startswith(f"ruattn: {message}")


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        ("options = '{\"seed\": 1}'", 'options are given, but the gate is that of model "m"'),
        ("num_experts = 4", 'num_experts is 4, model "m" has 2 experts'),
        ("top_k = 3", "top_k is 3, num_experts is 2"),
        ("vector_column = 'w'", "vectors have 2 dimensions, the gate of the model takes 3"),
        ("model = 'layer'", 'model "layer": moe needs gate, the tensors are W_q'),
    ],
)
def test_a_gate_that_does_not_fit(db: Connection, clauses: str, message: str) -> None:
    db.execute("""
        ALTER TABLE points ADD w real[] DEFAULT '{1,2}';
        INSERT INTO ruattn_weights (name, tensor, shape, data)
        VALUES ('m', 'gate', '{2,3}', '{1,0,0,0,1,0}'), ('layer', 'W_q', '{1,1}', '{1}')
    """)
    query = ROUTE if "vector_column" in clauses else f"{ROUTE} AND vector_column = 'v'"
    query += "" if "model" in clauses else " AND model = 'm'"
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        db.execute(f"{query} AND {clauses}".encode())
    assert caught.value.diag.message_primary == message
    assert caught.value.diag.message_hint
