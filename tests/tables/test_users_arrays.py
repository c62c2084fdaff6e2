"""Users' own `=` on arrays resolves, answers and uses indexes as it did before the extension came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.hosts import Host

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

ELEMENT_TYPES = (
    "real", "double precision", "numeric", "integer", "bigint", "smallint", "text", "varchar",
    "boolean", "date", "uuid",
)  # fmt: skip
ELEMENTS = {"boolean": "i % 2 = 0", "date": "date '2024-01-01' + i", "uuid": "lpad(i::text, 32, '0')::uuid"}
LITERALS = {"boolean": "t", "date": "2024-01-06", "uuid": "0" * 31 + "5"}
QUERIES = (
    "SELECT id FROM mine a WHERE a.v = '{{{x},{x}}}'",
    "SELECT id FROM mine a WHERE '{{{x},{x}}}' = a.v",
    "SELECT id FROM mine a WHERE a.v = ARRAY['{x}', '{x}']::{t}[]",
    "SELECT id FROM mine a WHERE a.v = (SELECT v FROM mine WHERE id = 5)",
    "SELECT a.id, b.id FROM mine a JOIN mine b ON a.v = b.v",
    "SELECT a.id, b.id FROM mine a JOIN mine b USING (v)",
    "SELECT id FROM mine a WHERE a.v IN (SELECT v FROM mine WHERE id < 4)",
    "SELECT id FROM mine a WHERE a.v IN ('{{{x},{x}}}', '{{{x}}}')",
    "SELECT id FROM mine a WHERE a.v <> '{{{x},{x}}}' AND NOT a.v = '{{{x}}}'",
    "SELECT id FROM mine a WHERE a.v @> '{{{x}}}'",
    "SELECT count(*) FROM mine GROUP BY v",
    "SELECT id FROM mine ORDER BY v",
    "SELECT NULLIF(v, '{{{x}}}') FROM mine WHERE v IS DISTINCT FROM '{{{x}}}'",
    "SELECT CASE v WHEN '{{{x},{x}}}' THEN 1 END FROM mine",
)
UNTYPED = (
    "SELECT ARRAY[1, 2] = '{1,2}', '{1,2}' = ARRAY[1, 2], ARRAY[1, 2.5] = ARRAY[1, 2.5]",
    "SELECT pg_typeof(v), pg_typeof(r), pg_typeof('{1}') FROM (SELECT ARRAY[1, 2] || 3, ARRAY[1, 2.5])"
    " s (v, r)",
    "SELECT '{1,2}' = '{1, 2}', '[1]' = '[1]'",
)


def table(element: str) -> str:
    value = ELEMENTS.get(element, f"i::{element}")
    return (
        f"CREATE TABLE mine AS SELECT i AS id, ARRAY[{value}, {value}]::{element}[] AS v"
        " FROM generate_series(1, 500) i"
    )


def run_all(connection: Connection, element: str) -> list[tuple[str, Rows, Rows]]:
    """Each query with its rows and its plan, types and operators included."""
    found = []
    for query in (*QUERIES, *UNTYPED):
        text = query.format(x=LITERALS.get(element, "5"), t=element) if query in QUERIES else query
        answer = sorted(connection.execute(text.encode()).fetchall(), key=str)
        explanation = connection.execute(f"EXPLAIN (VERBOSE, COSTS OFF) {text}".encode()).fetchall()
        found.append((text, answer, explanation))
    return found


@pytest.fixture
def bare(documents: Connection, fdw_host: Host) -> Connection:
    """A database without the extension."""
    documents.execute(f"DROP EXTENSION {fdw_host.extension}".encode())
    return documents


@pytest.fixture
def bare_with_vector(bare: Connection, pgvector: None) -> Connection:
    """The same with pgvector."""
    bare.execute("CREATE EXTENSION vector")
    return bare


@pytest.fixture
def install(bare: Connection, fdw_host: Host) -> Callable[[], object]:
    """Makes the extension there."""
    return lambda: bare.execute(fdw_host.create.encode())


def install_both(connection: Connection) -> None:
    connection.execute("CREATE EXTENSION ruattn_fdw_pgvector CASCADE")


@pytest.mark.parametrize("element", ELEMENT_TYPES)
def test_queries_on_arrays_are_the_same_before_and_after(
    bare: Connection, install: Callable[[], object], element: str
) -> None:
    bare.execute(table(element).encode())
    before = run_all(bare, element)
    assert any(answer for _, answer, _ in before)
    install()
    assert run_all(bare, element) == before


@pytest.mark.parametrize("method", ["btree", "hash", "gin"])
@pytest.mark.parametrize("element", ["real", "double precision", "integer", "text"])
def test_an_index_on_an_array_is_used_as_before(
    bare: Connection, install: Callable[[], object], element: str, method: str
) -> None:
    bare.execute(table(element).encode())
    bare.execute(f"CREATE INDEX mine_index ON mine USING {method} (v)".encode())
    bare.execute("ANALYZE mine")
    bare.execute("SET LOCAL enable_seqscan = off")
    before = run_all(bare, element)
    assert sum("mine_index" in str(explanation) for _, _, explanation in before) >= 3
    install()
    assert run_all(bare, element) == before


@pytest.mark.parametrize("element", ELEMENT_TYPES)
def test_an_untyped_parameter_takes_the_type_of_the_array(
    bare: Connection, install: Callable[[], object], element: str
) -> None:
    bare.execute(table(element).encode())
    types = "SELECT parameter_types FROM pg_prepared_statements WHERE name = %s"
    found = []
    for name in ("before", "after"):
        bare.execute(f"PREPARE {name} AS SELECT id FROM mine WHERE v = $1".encode())
        found.append(bare.execute(types, (name,)).fetchall())
        bare.execute(f"DEALLOCATE {name}".encode())
        if name == "before":
            install()
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.parametrize("element", ELEMENT_TYPES)
def test_the_companion_for_pgvector_changes_them_as_little(
    bare_with_vector: Connection, element: str
) -> None:
    bare_with_vector.execute(table(element).encode())
    before = run_all(bare_with_vector, element)
    install_both(bare_with_vector)
    assert run_all(bare_with_vector, element) == before


def test_pgvector_queries_and_indexes_are_the_same_before_and_after(bare_with_vector: Connection) -> None:
    bare = bare_with_vector
    bare.execute(
        "CREATE TABLE mine AS SELECT i AS id, ARRAY[i, 1]::vector(2) AS v FROM generate_series(1, 300) i"
    )
    bare.execute("CREATE INDEX ON mine USING hnsw (v vector_l2_ops)")
    bare.execute("CREATE INDEX ON mine (v)")
    bare.execute("SET LOCAL enable_seqscan = off")
    queries = (
        "SELECT id FROM mine WHERE v = '[5,1]'",
        "SELECT id FROM mine WHERE '[5,1]' = v",
        "SELECT id FROM mine WHERE v = ARRAY[5, 1]::vector",
        "SELECT id FROM mine WHERE v::real[] = '{5,1}'",
        "SELECT id FROM mine WHERE v = ANY (ARRAY['[5,1]', '[6,1]']::vector[])",
        "SELECT a.id FROM mine a JOIN mine b ON a.v = b.v",
        "SELECT id FROM mine ORDER BY v <-> '[5,1]' LIMIT 3",
    )

    def answers() -> list[Any]:
        return [
            (
                bare.execute(query.encode()).fetchall(),
                bare.execute(f"EXPLAIN (COSTS OFF) {query}".encode()).fetchall(),
            )
            for query in queries
        ]

    before = answers()
    assert all(answer for answer, _ in before)
    install_both(bare)
    assert answers() == before


def test_errors_of_users_queries_stay_the_same(bare: Connection, install: Callable[[], object]) -> None:
    """What had no operator before has none now, least of all one of ours."""

    def states() -> list[str | None]:
        found = []
        for pair in (
            "ARRAY[1] = ARRAY[1.5]",
            "ARRAY[1]::real[] = ARRAY[1]",
            "ARRAY['a'] = ARRAY[1]",
            "1 = ARRAY[1]",
        ):
            with pytest.raises(psycopg.Error) as caught, bare.transaction():
                bare.execute(f"SELECT {pair}".encode())
            found.append(caught.value.sqlstate)
        return found

    before = states()
    install()
    assert states() == before
