"""A parameter's value may come from whatever can be known first; the answer is that of single searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.bundled

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
Nearest = dict[int, list[int]]

SEARCH = "s.table_name = 'documents' AND s.query = d.embedding"


def pairs(nearest: Nearest, k: int, documents: range = range(1, 13)) -> Rows:
    return [(document, found) for document in documents for found in sorted(nearest[document][:k])]


@pytest.mark.parametrize(
    "query",
    [
        "FROM documents d, mha_search s WHERE {search} AND s.k = 2",
        "FROM mha_search s, documents d WHERE s.k = 2 AND {search}",
        "FROM documents d JOIN mha_search s ON {search} AND s.k = 2",
        "FROM mha_search s JOIN documents d ON {search} WHERE s.k = 2",
        "FROM documents d LEFT JOIN mha_search s ON {search} AND s.k = 2",
        "FROM mha_search s RIGHT JOIN documents d ON {search} AND s.k = 2",
        "FROM documents d CROSS JOIN LATERAL (SELECT * FROM mha_search s WHERE {search} AND s.k = 2) s",
        "FROM documents d, LATERAL (SELECT * FROM mha_search s WHERE {search} ORDER BY s.score DESC"
        " LIMIT 2) s",
        "FROM documents d, LATERAL (SELECT * FROM mha_search s WHERE {search} OFFSET 0) s WHERE s.rank <= 2",
        "FROM documents d LEFT JOIN LATERAL (SELECT id FROM mha_search s WHERE {search} AND s.k = 2) s"
        " ON true",
        "FROM (SELECT * FROM documents OFFSET 0) d JOIN mha_search s ON {search} AND s.k = 2",
        "FROM (SELECT DISTINCT id, embedding FROM documents) d JOIN mha_search s ON {search} AND s.k = 2",
        "FROM (SELECT id, max(embedding) embedding FROM documents GROUP BY id) d, mha_search s"
        " WHERE {search} AND s.k = 2",
        "FROM documents d, mha_search s WHERE {search} AND s.rank < 3",
        "FROM documents d, mha_search s, (VALUES (2)) v (k) WHERE {search} AND s.k = v.k",
        "FROM documents d, mha_search s, generate_series(2, 2) g WHERE {search} AND s.k = g",
        "FROM documents d, mha_search s, documents e WHERE {search} AND s.k = e.id AND e.id = 2",
    ],
)
def test_a_join_gives_each_search_its_answer(rows: Callable[..., Rows], nearest: Nearest, query: str) -> None:
    found = rows(f"SELECT d.id, s.id {query.format(search=SEARCH)} ORDER BY 1, 2")
    assert found == pairs(nearest, 2)


def test_common_table_expressions_supply_and_hold_searches(
    rows: Callable[..., Rows], nearest: Nearest
) -> None:
    for kind in ("", "MATERIALIZED", "NOT MATERIALIZED"):
        assert rows(
            f"WITH d AS {kind} (SELECT * FROM documents WHERE id < 4),"
            f" found AS {kind} (SELECT d.id AS document, s.id FROM d, mha_search s WHERE {SEARCH} AND"
            f" s.k = 2)"
            " SELECT * FROM found ORDER BY 1, 2"
        ) == pairs(nearest, 2, range(1, 4))


def test_a_recursive_query_searches_from_what_it_found(rows: Callable[..., Rows], nearest: Nearest) -> None:
    walk = [1]
    while (step := next(i for i in nearest[walk[-1]] if i != walk[-1])) not in walk and len(walk) < 4:
        walk.append(step)
    found = rows(
        "WITH RECURSIVE walk (id, step) AS (SELECT 1::bigint, 1 UNION ALL"
        " SELECT s.id, w.step + 1 FROM walk w, documents d, mha_search s"
        f" WHERE d.id = w.id AND {SEARCH} AND s.rank = 2 AND w.step < {len(walk)})"
        " SELECT id FROM walk ORDER BY step"
    )
    assert [row for (row,) in found] == walk


def test_semi_and_anti_joins(rows: Callable[..., Rows], nearest: Nearest) -> None:
    close = [(d,) for d in nearest if 3 in nearest[d][:3]]
    others = [(d,) for d in nearest if (d,) not in close]
    assert 1 < len(close) < 12
    search = f"SELECT s.id FROM mha_search s WHERE {SEARCH} AND s.k = 3"
    for query, expected in (
        (f"EXISTS ({search} AND s.id = 3)", close),
        (f"NOT EXISTS ({search} AND s.id = 3)", others),
        (f"3 IN ({search})", close),
        (f"3 NOT IN ({search})", others),
        (f"3 = ANY (ARRAY({search}))", close),
    ):
        assert rows(f"SELECT d.id FROM documents d WHERE {query} ORDER BY 1") == expected


def test_a_correlated_sub_select_in_the_target_list(rows: Callable[..., Rows], nearest: Nearest) -> None:
    found = rows(
        f"SELECT d.id, ARRAY(SELECT s.id FROM mha_search s WHERE {SEARCH} AND s.k = 3),"
        f" (SELECT s.id FROM mha_search s WHERE {SEARCH} AND s.rank = 2),"
        f" (SELECT count(*) FROM mha_search s WHERE {SEARCH})"
        " FROM documents d ORDER BY 1"
    )
    assert found == [(d, nearest[d][:3], nearest[d][1], 12) for d in nearest]


def test_a_query_from_a_sub_select_that_finds_nothing_gives_no_rows(rows: Callable[..., Rows]) -> None:
    search = "SELECT id FROM mha_search WHERE table_name = 'documents' AND query = {}"
    for value in ("(SELECT embedding FROM documents WHERE id = 99)", "NULL::real[]", "NULL"):
        assert rows(search.format(value)) == []


@pytest.mark.parametrize("integer", ["integer", "bigint", "smallint"])
def test_equivalence_classes_supply_over_integer_widths(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest, integer: str
) -> None:
    documents.execute(
        f"CREATE TABLE chosen AS SELECT i::{integer} AS id FROM generate_series(2, 3) i".encode()
    )
    search = "s.table_name = 'documents' AND s.rank = 2 AND s.query_id = {}"
    expected = [(2, 2, nearest[2][1]), (3, 3, nearest[3][1])]
    select = "SELECT c.id::int, s.query_id::int, s.id FROM chosen c, mha_search s"
    assert rows(f"{select} WHERE {search.format('c.id')} ORDER BY 1") == expected
    assert rows(f"{select}, documents d WHERE {search.format('d.id')} AND d.id = c.id ORDER BY 1") == expected
    assert (
        rows(f"{select}, documents d WHERE s.query_id = c.id AND {search.format('d.id')} ORDER BY 1")
        == expected
    )
    for constant in ("3", "3::bigint", "3::smallint"):
        assert rows(f"{select} WHERE {search.format('c.id')} AND c.id = {constant}") == expected[1:]
        assert rows(f"{select} WHERE {search.format(constant)} AND c.id = s.query_id") == expected[1:]


def test_two_searches_share_a_parameter_through_an_equivalence_class(
    rows: Callable[..., Rows], nearest: Nearest
) -> None:
    found = rows(
        "SELECT a.id, b.id FROM mha_search a JOIN mha_search b USING (table_name, query_id, rank)"
        " WHERE table_name = 'documents' AND query_id = 5 AND a.k = 3 AND b.k = 2 ORDER BY rank"
    )
    assert found == [(i, i) for i in nearest[5][:2]]


def test_one_search_feeds_another(rows: Callable[..., Rows], nearest: Nearest) -> None:
    found = rows(
        "SELECT a.id, b.id FROM mha_search a, mha_search b WHERE a.table_name = 'documents' AND"
        " a.query_id = 5"
        " AND a.k = 3 AND b.table_name = 'documents' AND b.query_id = a.id AND b.k = 2 ORDER BY a.rank,"
        " b.rank"
    )
    assert found == [(a, b) for a in nearest[5][:3] for b in nearest[a][:2]]


SETTINGS = (
    "enable_nestloop = off", "enable_hashjoin = off", "enable_material = off", "enable_memoize = on",
    "from_collapse_limit = 1", "geqo_threshold = 2",
)  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "order", ["d, c, t, s", "s, t, c, d", "t, s, d, c", "c, d, s, t", "s, d, t, c", "d, s, c, t"]
)
def test_several_relations_each_supply_a_parameter_in_any_join_order(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest, order: str, setting: str
) -> None:
    documents.execute(f"SET LOCAL {setting}".encode())
    documents.execute("CREATE TABLE chosen (how_many integer, other integer)")
    documents.execute("INSERT INTO chosen VALUES (1, 5), (3, 6)")
    documents.execute("CREATE TABLE tables (name text)")
    documents.execute("INSERT INTO tables VALUES ('documents')")
    relations = {"d": "documents d", "c": "chosen c", "t": "tables t", "s": "mha_search s"}
    found = rows(
        f"SELECT c.how_many, d.id, s.id, s.k FROM {', '.join(relations[name] for name in order.split(', '))}"
        " WHERE s.table_name = t.name AND s.query = d.embedding AND s.k = c.how_many AND d.id < 4 ORDER"
        " BY 1, 2, 3"
    )
    assert found == [(k, d, i, k) for k in (1, 3) for d, i in pairs(nearest, k, range(1, 4))]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan", "auto"])
def test_prepared_statements(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest, mode: str
) -> None:
    documents.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
    documents.execute(
        "PREPARE search (text, bigint, int) AS SELECT id FROM mha_search WHERE table_name = $1 AND"
        " query_id = $2 AND k = $3"
    )
    documents.execute(
        "PREPARE joined (int, int) AS SELECT d.id, s.id FROM documents d, mha_search s"
        f" WHERE {SEARCH} AND s.k = $1 AND d.id < $2 ORDER BY 1, 2"
    )
    try:
        for k in (1, 2, 3, 12, 1, 2, 3, 4):
            assert rows(f"EXECUTE search('documents', {k}, {k})") == [(i,) for i in nearest[k][:k]]
            assert rows(f"EXECUTE joined({k}, 4)") == pairs(nearest, k, range(1, 4))
        assert rows("EXECUTE search('documents', 1, NULL)") == []
        assert rows("EXECUTE search('documents', NULL, 1)") == []
    finally:
        documents.execute("DEALLOCATE ALL")


def test_functions_in_sql_and_plpgsql_pass_their_arguments(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest
) -> None:
    body = "SELECT id FROM mha_search s WHERE s.table_name = 'documents' AND s.query_id = wanted AND s.k = 2"
    for language, text in (("sql", body), ("plpgsql", f"BEGIN RETURN QUERY {body}; END")):
        documents.execute(
            f"CREATE OR REPLACE FUNCTION close_to(wanted int) RETURNS SETOF bigint LANGUAGE {language}"
            f" STABLE AS $${text}$$".encode()
        )
        for _ in range(7):
            found = rows("SELECT d.id, c FROM documents d, close_to(d.id) c ORDER BY 1, 2")
            assert found == pairs(nearest, 2)


def test_partitions_and_unions_supply(
    documents: Connection, rows: Callable[..., Rows], nearest: Nearest
) -> None:
    documents.execute("CREATE TABLE parted (id integer, embedding real[]) PARTITION BY RANGE (id)")
    documents.execute("CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (6)")
    documents.execute("CREATE TABLE high PARTITION OF parted FOR VALUES FROM (6) TO (100)")
    documents.execute("INSERT INTO parted SELECT id, embedding FROM documents")
    union = "(SELECT * FROM low UNION ALL SELECT * FROM high)"
    for source in ("parted", union):
        found = rows(
            f"SELECT d.id, s.id FROM {source} d, mha_search s WHERE {SEARCH} AND s.k = 2 ORDER BY 1, 2"
        )
        assert found == pairs(nearest, 2)
