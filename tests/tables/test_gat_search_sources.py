"""Which columns gat_search takes, and what it says of bad input."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import Diagnostic

Rows = list[tuple[Any, ...]]

GRAPH = """
CREATE TABLE nodes (id bigint PRIMARY KEY, features real[]);
INSERT INTO nodes VALUES (1, '{0,0}'), (2, '{1,0}'), (3, '{0,2}'), (4, NULL);
CREATE TABLE links (src smallint, dst bigint);
INSERT INTO links VALUES (1, 2), (1, 3), (2, 3);
"""


@pytest.fixture
def graph(db: Connection[Any]) -> Connection[Any]:
    db.execute(GRAPH)
    return db


@pytest.fixture
def search(graph: Connection[Any]) -> Callable[..., Rows]:
    def run(
        clauses: str = "", node_table: str = "nodes", edge_table: str = "links", start: object = 1
    ) -> Rows:
        sql = (
            "SELECT node_id, attention_score FROM gat_search WHERE node_table = %s AND edge_table = %s"
            f" AND query_node_id = {start} AND num_heads = 1{clauses}"
        )
        return graph.execute(sql.encode(), [node_table, edge_table]).fetchall()

    return run


@pytest.fixture
def failure(search: Callable[..., Rows]) -> Callable[..., Diagnostic]:
    def run(*clauses: str, **given: Any) -> Diagnostic:
        with pytest.raises(psycopg.Error) as caught:
            search(*clauses, **given)
        return caught.value.diag

    return run


def ids(rows: Rows) -> list[Any]:
    return [row[0] for row in rows]


@pytest.mark.parametrize("names", [("source", "target"), ("src", "dst"), ("from_id", "to_id")])
def test_customary_names_of_the_ends_are_found(graph: Any, search: Any, names: tuple[str, str]) -> None:
    expected = search()
    graph.execute(f"CREATE VIEW arcs AS SELECT src AS {names[0]}, dst AS {names[1]} FROM links".encode())
    assert search(edge_table="arcs") == expected
    assert ids(expected) == [1, 2, 3]


def test_other_names_are_given(graph: Any, search: Any) -> None:
    graph.execute('ALTER TABLE links RENAME src TO "A b"; ALTER TABLE links RENAME dst TO z')
    assert ids(
        search(" AND source_column = 'A b' AND target_column = 'z' AND direction = 'out'", start=2)
    ) == [2, 3]


def test_columns_that_cannot_be_guessed_are_listed(graph: Any, failure: Any) -> None:
    graph.execute("ALTER TABLE links RENAME src TO a")
    error = failure()
    assert error.message_primary == "links has no columns source/target, src/dst, from_id/to_id"
    assert error.message_hint == "Give source_column and target_column; integer columns are: a, dst."


def test_an_unknown_column_is_named_with_the_nearest(failure: Any) -> None:
    error = failure(" AND source_column = 'srk'")
    assert error.sqlstate == "42703"
    assert 'Perhaps you meant "src".' in error.message_hint


def test_ends_of_another_type_than_the_ids_are_refused(graph: Any, failure: Any) -> None:
    graph.execute("ALTER TABLE links ALTER src TYPE text")
    error = failure()
    assert error.message_primary == "links.src has type text, nodes.id has type bigint"
    assert error.message_hint


def test_the_hint_names_the_parameters_of_this_table(graph: Any, failure: Any) -> None:
    graph.execute("ALTER TABLE nodes ADD other real[]")
    assert failure().message_hint == "Say which: feature_column = 'features'."


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (9, "query_node_id 9 is not in nodes.id"),
        (4, "query_node_id 4 has no features, nodes.features is NULL there"),
    ],
)
def test_a_query_node_must_be_there(failure: Any, start: int, message: str) -> None:
    error = failure(start=start)
    assert (error.sqlstate, error.message_primary) == ("22023", message)
    assert error.message_hint


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("hops = 0", "hops must be between 1 and 2147483647, got 0"),
        ("k = 0", "k must be between 1 and 2147483647, got 0"),
        ("direction = 'sideways'", 'direction must be one of in, out, both, got "sideways"'),
        ("temperature = 0", "temperature must be greater than 0, got 0"),
        ("options = '{\"slope\": 1}'", "gatv2 has no option 'slope'"),
        ("attention_type = 'cosine'", 'attention_type "cosine" does not work in gat_search'),
        ("attention_type = 'gat'", "gat needs trained weights, and none are given"),
        (
            "attention_type = 'gat' AND options = '{\"init\": \"learned\"}'",
            "init is 'learned', it must be one of",
        ),
        (
            "model = 'm' AND attention_type = 'ppr_diffusion'",
            'model is "m", but ppr_diffusion takes no weights',
        ),
    ],
)
def test_parameters_out_of_their_range(failure: Any, clause: str, message: str) -> None:
    error = failure(f" AND {clause}")
    assert error.message_primary.startswith(message)
    assert error.message_hint
    assert error.sqlstate != "XX000"


def test_explain_raises_what_the_query_would(graph: Any) -> None:
    with pytest.raises(psycopg.Error, match="gat needs trained weights"):
        graph.execute(
            "EXPLAIN SELECT 1 FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
            " AND query_node_id = 1 AND attention_type = 'gat'"
        )


def test_more_heads_than_dimensions(graph: Any) -> None:
    with pytest.raises(psycopg.Error) as caught:
        graph.execute(
            "SELECT 1 FROM gat_search WHERE node_table = 'nodes' AND edge_table = 'links'"
            " AND query_node_id = 1"
        )
    assert caught.value.diag.message_primary == "num_heads is 4, the features have 2 dimensions"


def test_nan_in_a_feature_is_an_error_that_names_the_node(graph: Any, failure: Any) -> None:
    graph.execute("UPDATE nodes SET features = '{NaN,0}' WHERE id = 3")
    assert "the row with id 3" in failure().message_primary


def test_features_of_unequal_length(graph: Any, failure: Any) -> None:
    graph.execute("UPDATE nodes SET features = '{1,2,3}' WHERE id = 2")
    error = failure(" AND direction = 'out'", edge_table="links", start=1)
    assert "dimensions" in error.message_primary
    assert error.sqlstate.startswith("22")


def test_ids_that_repeat_are_refused(graph: Any, failure: Any) -> None:
    graph.execute("CREATE VIEW twice AS SELECT * FROM nodes UNION ALL SELECT * FROM nodes")
    error = failure(" AND node_id_column = 'id'", node_table="twice")
    assert error.message_primary == "id 1 means 2 rows of twice"
    assert error.message_hint


@pytest.mark.bundled
def test_limited_memory(graph: Any, failure: Any) -> None:
    graph.execute("UPDATE nodes SET features = array_fill(1::real, ARRAY[200000])")
    graph.execute("INSERT INTO nodes SELECT i, features FROM nodes, generate_series(10, 19) i WHERE id = 1")
    graph.execute("INSERT INTO links SELECT i, i + 1 FROM generate_series(10, 18) i")
    graph.execute("SET ruattn_fdw.max_memory = '4MB'")
    error = failure(" AND hops = 9", start=10)
    assert error.sqlstate == "53200"
    assert "ruattn_fdw.max_memory" in error.message_hint


@pytest.mark.bundled
@pytest.mark.parametrize("table", ["nodes", "links"])
def test_the_callers_privileges_count(graph: Any, search: Any, table: str) -> None:
    graph.execute("CREATE ROLE walker; GRANT SELECT ON nodes, links TO walker")
    try:
        graph.execute("SET ROLE walker")
        assert ids(search()) == [1, 2, 3]
        graph.execute("RESET ROLE")
        graph.execute(f"REVOKE SELECT ON {table} FROM walker".encode())
        graph.execute("SET ROLE walker")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            search()
    finally:
        graph.execute("RESET ROLE; DROP OWNED BY walker; DROP ROLE walker")


@pytest.mark.bundled
def test_a_users_own_table_over_uuids_with_columns_of_the_node(graph: Any) -> None:
    graph.execute(
        """
        CREATE TABLE people (person uuid PRIMARY KEY, name text, v real[]);
        INSERT INTO people
        SELECT md5(i::text)::uuid, 'person ' || i, ARRAY[i, 0]::real[] FROM generate_series(1, 4) i;
        CREATE TABLE knows (from_id uuid, to_id uuid);
        INSERT INTO knows SELECT md5(i::text)::uuid, md5((i + 1)::text)::uuid FROM generate_series(1, 3) i;
        CREATE FOREIGN TABLE circle (person uuid, name text, hop int, query_node_id uuid)
        SERVER ruattn OPTIONS (operation 'gat_search', node_table 'people', edge_table 'knows',
                               node_id_column 'person', num_heads '1', hops '2');
        """
    )
    sql = "SELECT name, hop FROM circle WHERE query_node_id = md5('1')::uuid"
    found = graph.execute(sql).fetchall()
    assert found == [("person 1", 0), ("person 2", 1), ("person 3", 2)]
    graph.execute("CREATE INDEX ON knows (from_id); CREATE INDEX ON knows (to_id)")
    assert graph.execute(sql).fetchall() == found
