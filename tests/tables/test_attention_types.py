from typing import Any

from psycopg import Connection
from ruattn_fdw.kernels import registry

QUERIES = {
    "attention_score": "SELECT score FROM attention_score WHERE query = '{1,2}' AND key = '{3,4}'"
    " AND num_heads = 1 AND attention_type = %s",
    "mha_search": "SELECT id FROM mha_search WHERE table_name = 'two' AND query = '{1,2}' AND num_heads = 1"
    " AND attention_type = %s",
    "attention_pool": "SELECT attention_pool('{1,2}', v, %s) FROM two",
}


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


def test_every_listed_operation_runs_under_every_name(db: Connection[Any]) -> None:
    db.execute("CREATE TABLE two (id int PRIMARY KEY, v real[])")
    db.execute("INSERT INTO two VALUES (1, '{1,0}'), (2, '{0,1}')")
    listed = db.execute("SELECT name, aliases, operations FROM attention_types").fetchall()
    for name, aliases, operations in listed:
        for spelling in (name, *aliases, name.upper(), name.replace("_", "-")):
            for operation in operations:
                rows = db.execute(QUERIES[operation].encode(), [spelling]).fetchall()
                assert len(rows) == (2 if operation == "mha_search" else 1), (operation, spelling)


def test_the_declared_options_are_accepted_at_their_defaults(db: Connection[Any]) -> None:
    cases = db.execute(
        "SELECT name, key, value -> 'default' FROM attention_types, jsonb_each(parameters -> 'properties')"
        " WHERE value ? 'default'"
    ).fetchall()
    assert cases
    for name, key, default in cases:
        rows = db.execute(
            "SELECT score FROM attention_score WHERE query = '{1,2}' AND key = '{3,4}' AND num_heads = 1"
            " AND attention_type = %s AND options = jsonb_build_object(%s::text, %s::float8)",
            [name, key, default],
        )
        assert len(rows.fetchall()) == 1, (name, key)


def test_it_filters_sorts_and_joins_as_a_table(db: Connection[Any]) -> None:
    names = sorted(m.name for m in registry.MECHANISMS if "mha_search" in m.operations)
    found = db.execute(
        "SELECT name FROM attention_types WHERE 'mha_search' = ANY (operations) ORDER BY name COLLATE \"C\""
    ).fetchall()
    assert [row[0] for row in found] == names


def test_the_function_gives_the_same_rows(db: Connection[Any]) -> None:
    table = db.execute("SELECT * FROM attention_types").fetchall()
    assert db.execute("SELECT * FROM ruvector_attention_types()").fetchall() == table
