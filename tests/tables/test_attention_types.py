import json
from typing import Any

import pytest
from psycopg import Connection
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import parse_options

QUERIES = {
    "attention_score": "attention_score WHERE query = '{0.1,0.2}' AND key = '{0.3,0.4}' AND num_heads = 1",
    "mha_search": "mha_search WHERE table_name = 'two' AND query = '{0.1,0.2}' AND num_heads = 1",
    "attention": "attention WHERE table_name = 'two' AND query = '{0.1,0.2}'",
    "cross_attention": "cross_attention WHERE query_table = 'two' AND document_table = 'two'",
    "sliding_attention": "sliding_attention WHERE embeddings = '{{0.1,0.2},{0.3,0.4}}'",
    "gat_search": "gat_search WHERE node_table = 'two' AND edge_table = 'links' AND query_node_id = 1"
    " AND num_heads = 1",
    "moe_route": "moe_route WHERE embedding = '{0.1,0.2}'",
}
POOL = "SELECT attention_pool('{1,2}', v, %s) FROM two"
OPTIONS = {  # what a mechanism cannot do without
    "gat": {"init": "seeded"},
    "additive": {"init": "identity"},
    "sliced_wasserstein": {"token_dim": 1},
    "edge_featured_gat": {"init": "seeded", "edge_column": "weight"},
}
TABLES = """
CREATE TABLE two (id int PRIMARY KEY, v real[]);
INSERT INTO two VALUES (1, '{0.5,0}'), (2, '{0,0.5}');
CREATE TABLE links (source int, target int, weight real);
INSERT INTO links VALUES (1, 2, 0.5);
"""

ROWS = {"mha_search": 2, "cross_attention": 4, "sliding_attention": 2, "gat_search": 2, "moe_route": 2}


def run(db: Connection[Any], operation: str, mechanism: registry.Mechanism, name: str, options: Any) -> None:
    """Run a mechanism by a name of its own in a table, and count the rows."""
    settings = {**OPTIONS.get(mechanism.name, {}), **options}
    query = f"SELECT * FROM {QUERIES[operation]} AND options = %s::jsonb"
    if operation == "attention" and mechanism.weigh_batch is not None:
        query = query.replace("query = '{0.1,0.2}'", "query_table = 'two'")
    query += " AND order_column = 'id'" if mechanism.needs_order(parse_options(mechanism, settings)) else ""
    parameters = [json.dumps(settings)]
    if operation != "moe_route":
        query, parameters = f"{query} AND attention_type = %s", [*parameters, name]
    wanted = 2 if "query_table = 'two'" in query and operation == "attention" else ROWS.get(operation, 1)
    assert len(db.execute(query.encode(), parameters).fetchall()) == wanted, (operation, name)


def test_the_rows_are_the_registry(db: Connection[Any]) -> None:
    columns = (
        "name, aliases, family, feature, complexity, memory, best_for, formula, parameters, operations,"
        " weight_kind, scope, reference"
    )
    found = db.execute(f"SELECT {columns} FROM attention_types".encode()).fetchall()
    assert found == [
        (
            m.name, list(m.aliases), m.family, m.feature, m.complexity, m.memory, m.best_for, m.formula,
            registry.json_schema(m), list(m.operations), m.weight_kind, m.scope, m.reference,
        )
        for m in registry.MECHANISMS
    ]  # fmt: skip


def test_what_is_listed_is_available(db: Connection[Any]) -> None:
    assert db.execute("SELECT DISTINCT available, reason FROM attention_types").fetchall() == [(True, None)]


@pytest.mark.bundled
def test_every_listed_operation_runs_under_every_name(db: Connection[Any]) -> None:
    db.execute(TABLES)
    listed = db.execute("SELECT name, aliases, operations FROM attention_types").fetchall()
    for name, aliases, operations in listed:
        for spelling in (name, *aliases, name.upper(), name.replace("_", "-")):
            for operation in operations:
                if operation == "attention_pool":
                    assert len(db.execute(POOL.encode(), [spelling]).fetchall()) == 1
                else:
                    run(db, operation, registry.find(name), spelling, {})


def test_the_declared_options_are_accepted_at_their_defaults(db: Connection[Any]) -> None:
    cases = db.execute(
        "SELECT name, key, value -> 'default' FROM attention_types, jsonb_each(parameters -> 'properties')"
        " WHERE value ? 'default'"
    ).fetchall()
    assert cases
    db.execute(TABLES)
    for name, key, default in cases:
        mechanism = registry.find(name)
        run(db, mechanism.operations[0], mechanism, name, {key: default})


def test_it_filters_sorts_and_joins_as_a_table(db: Connection[Any]) -> None:
    names = sorted(m.name for m in registry.MECHANISMS if "mha_search" in m.operations)
    found = db.execute(
        "SELECT name FROM attention_types WHERE 'mha_search' = ANY (operations) ORDER BY name COLLATE \"C\""
    ).fetchall()
    assert [row[0] for row in found] == names


def test_the_function_gives_the_same_rows(db: Connection[Any]) -> None:
    table = db.execute("SELECT * FROM attention_types").fetchall()
    assert db.execute("SELECT * FROM ruvector_attention_types()").fetchall() == table
