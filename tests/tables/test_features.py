"""What a mechanism outside of `ruattn_fdw.features` is: listed with a reason, and refused everywhere."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection
from ruattn_fdw.kernels.mechanism import FEATURES
from ruattn_fdw.kernels.registry import MECHANISMS

pytestmark = pytest.mark.bundled

TABLES = """
CREATE TABLE two (id int PRIMARY KEY, v real[]);
INSERT INTO two VALUES (1, '{0.5,0}'), (2, '{0,0.5}');
CREATE TABLE links (source int, target int);
INSERT INTO links VALUES (1, 2);
"""

PAIR = "'{0.1,0.2}', '{0.3,0.4}'"
ARRAYS = "'{0.1,0.2}', '{{0.1,0.2}}', '{{1,2}}'"
SCORE = f"SELECT ruvector_attention_score({PAIR}, 'poincare')"

# statement -> its mechanism
USES = {
    "SELECT score FROM attention_score WHERE query = '{0.1,0.2}' AND key = '{0.3,0.4}'"
    " AND attention_type = 'poincare'": "poincare",
    "SELECT id FROM mha_search WHERE table_name = 'two' AND query_id = 1"
    " AND attention_type = 'lorentz'": "lorentz",
    "SELECT output FROM attention WHERE table_name = 'two' AND query = '{0.1,0.2}'"
    " AND attention_type = 'hyperbolic'": "hyperbolic",
    "SELECT score FROM cross_attention WHERE query_table = 'two' AND document_table = 'two'"
    " AND attention_type = 'lorentz'": "lorentz",
    "SELECT output FROM sliding_attention WHERE embeddings = '{{0.1,0.2},{0.3,0.4}}'"
    " AND attention_type = 'poincare'": "poincare",
    "SELECT node_id FROM gat_search WHERE node_table = 'two' AND edge_table = 'links' AND query_node_id = 1"
    " AND num_heads = 1": "gatv2",
    "SELECT expert FROM moe_route WHERE embedding = '{0.1,0.2}'": "moe",
    "SELECT attention_pool('{0.1,0.2}'::real[], v, 'flash_v2') FROM two": "flash_v2",
    SCORE: "poincare",
    "SELECT ruvector_attention_scores('{0.1,0.2}', '{{0.1,0.2}}', 'flash')": "flash_v2",
    f"SELECT ruvector_flash_attention({ARRAYS})": "flash_v2",
    f"SELECT ruvector_hyperbolic_attention({ARRAYS})": "hyperbolic",
    f"SELECT ruvector_moe_attention({ARRAYS})": "moe",
    "SELECT ruvector_moe_route('{0.1,0.2}')": "moe",
    "SELECT * FROM ruvector_gat_search('two', 'links', 1, 1)": "gatv2",
    "SELECT * FROM ruvector_cross_attention('two', 'v', 'two', 'v', 'poincare')"
    " AS (query_id int, doc_id int, score real)": "poincare",
}  # fmt: skip
FEATURE_OF = {mechanism.name: mechanism.feature for mechanism in MECHANISMS}


@pytest.fixture
def two(db: Connection[Any]) -> Connection[Any]:
    """A superuser's session in a database with vectors and edges."""
    db.execute(TABLES)
    return db


def refused(connection: Connection[Any], statement: str) -> psycopg.errors.Diagnostic:
    """Runs a statement that is refused for its feature, and gives what the server said."""
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        connection.execute(statement.encode())
    assert "switched off here" in str(caught.value.diag.message_primary)
    return caught.value.diag


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_leaves_its_own_mechanisms(db: Connection[Any], feature: str) -> None:
    db.execute("SELECT FROM attention_types")
    db.execute(f"SET ruattn_fdw.features = {feature}".encode())
    rows = db.execute("SELECT name, feature, available, reason FROM attention_types").fetchall()
    assert rows == [
        (m.name, m.feature, True, None)
        if m.feature == feature
        else (
            m.name, m.feature, False,
            f"It belongs to the feature {m.feature}; ruattn_fdw.features is '{feature}'.",
        )
        for m in MECHANISMS
    ]  # fmt: skip
    function = "SELECT name, feature, available, reason FROM ruvector_attention_types()"
    assert db.execute(function.encode()).fetchall() == rows


@pytest.mark.parametrize("statement", USES)
def test_it_is_refused_wherever_it_is_used(two: Connection[Any], statement: str) -> None:
    name = USES[statement]
    feature = FEATURE_OF[name]
    assert two.execute(statement.encode()).fetchall()
    two.execute("SET ruattn_fdw.features = attention")
    diag = refused(two, statement)
    assert diag.message_primary == f'attention mechanism "{name}" is switched off here'
    assert diag.message_detail == f"It belongs to the feature {feature}; ruattn_fdw.features is 'attention'."
    assert f"add {feature} to ruattn_fdw.features" in str(diag.message_hint)
    two.execute(f"SET ruattn_fdw.features = attention, {feature}".encode())
    assert two.execute(statement.encode()).fetchall()


@pytest.mark.parametrize("statement", [s for s in USES if "ruvector" not in s and "pool" not in s])
def test_explain_refuses_what_the_query_would(two: Connection[Any], statement: str) -> None:
    two.execute("SELECT FROM attention_types")
    two.execute("SET ruattn_fdw.features = attention")
    refused(two, f"EXPLAIN {statement}")


def test_distances_are_geometry_and_stay(two: Connection[Any]) -> None:
    distance = f"SELECT ruvector_poincare_distance({PAIR})"
    expected = two.execute(distance.encode()).fetchall()
    two.execute("SET ruattn_fdw.features = attention")
    assert two.execute(distance.encode()).fetchall() == expected


@pytest.mark.parametrize("statement", USES)
def test_a_prepared_statement_is_refused_too(two: Connection[Any], statement: str) -> None:
    two.execute(f"PREPARE kept AS {statement}".encode())
    for _ in range(7):  # a plan is kept after the fifth
        assert two.execute("EXECUTE kept").fetchall()
    two.execute("SET ruattn_fdw.features = attention")
    refused(two, "EXECUTE kept")
    two.execute("RESET ruattn_fdw.features")
    assert two.execute("EXECUTE kept").fetchall()


def test_a_query_that_is_ready_is_refused_from_the_next_statement_on(two: Connection[Any]) -> None:
    scores = "SELECT ruvector_attention_score('{0.1,0.2}'::real[], v, 'poincare') FROM two"
    assert len(two.execute(scores.encode()).fetchall()) == 2
    two.execute("SET ruattn_fdw.features = attention")
    refused(two, scores)


def test_a_block_of_plpgsql_sees_a_setting_that_it_makes(two: Connection[Any]) -> None:
    refused(
        two,
        """
        DO $$ BEGIN
            FOR round IN 1..2 LOOP
                PERFORM ruvector_attention_score(v, v, 'poincare') FROM two;
                EXECUTE 'SET LOCAL ruattn_fdw.features = attention';
            END LOOP;
        END $$""",
    )


def test_a_rolled_back_setting_is_undone_for_kept_plans(two: Connection[Any]) -> None:
    two.execute(f"PREPARE kept AS {SCORE}".encode())
    assert two.execute("EXECUTE kept").fetchall()
    with two.transaction(force_rollback=True):
        two.execute("SET ruattn_fdw.features = moe")
        with pytest.raises(psycopg.errors.FeatureNotSupported), two.transaction():
            two.execute("EXECUTE kept")
    assert two.execute("EXECUTE kept").fetchall()


def test_a_foreign_table_made_before_is_refused_when_queried(two: Connection[Any]) -> None:
    table = """
        CREATE FOREIGN TABLE near (id bigint, score real, query_id bigint) SERVER ruattn
        OPTIONS (operation 'mha_search', table_name 'two', attention_type 'poincare')"""
    two.execute(table.encode())
    assert len(two.execute("SELECT id FROM near WHERE query_id = 1").fetchall()) == 2
    two.execute("SET ruattn_fdw.features = 'flash'")
    refused(two, "SELECT id FROM near WHERE query_id = 1")
    refused(two, table.replace("near", "nearer"))
    assert two.execute("SELECT count(*) FROM attention_types").fetchall() == [(len(MECHANISMS),)]
    two.execute("DROP FOREIGN TABLE near")


def test_a_hint_proposes_what_is_available(two: Connection[Any]) -> None:
    two.execute("SELECT FROM attention_types")
    two.execute("SET ruattn_fdw.features = hyperbolic")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        two.execute(
            "SELECT FROM mha_search WHERE table_name = 'two' AND query_id = 1 AND order_column = 'id'"
            " AND attention_type = 'poincare'"
        )
    ordered = {m.name for m in MECHANISMS if m.ordered is not None and m.feature == "hyperbolic"}
    hint = str(caught.value.diag.message_hint)
    assert hint.endswith(f"knows one: {', '.join(sorted(ordered)) or 'none'}.")


def test_the_diagnosis_shows_the_setting(db: Connection[Any]) -> None:
    db.execute("SELECT FROM attention_types")
    db.execute("SET ruattn_fdw.features = Flash, moe")
    found = db.execute("SELECT value, ok FROM ruattn_diag() WHERE item = 'features'")
    assert found.fetchall() == [("flash, moe", True)]
