"""Users' own tables of the other operations: ids of other types, columns of the source."""

from typing import Any

import pytest
from psycopg import Connection


@pytest.fixture
def db(db: Connection[Any]) -> Connection[Any]:
    """`parts` with uuid ids, and the same rows in `numbered` with the integers behind these ids."""
    db.execute("""
        CREATE TABLE numbered AS
        SELECT i AS id, 'part ' || i AS name, i * 7 % 12 AS n,
               ARRAY[cos(i), sin(i), cos(2*i), sin(2*i)]::real[] AS v
        FROM generate_series(1, 12) i;
        CREATE FUNCTION code(i bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
        AS 'SELECT (lpad(i::text, 8, ''0'') || ''-0000-0000-0000-000000000000'')::uuid';
        CREATE TABLE parts AS SELECT code(id) AS part, name, n, v FROM numbered;
        CREATE TABLE links AS SELECT i AS source, i % 12 + 1 AS target FROM generate_series(1, 12) i;
        CREATE TABLE coded AS SELECT code(source) AS source, code(target) AS target FROM links
    """)
    return db


def rows(db: Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()


def test_cross_attention(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FOREIGN TABLE own (asked uuid, part uuid, name text, score real, rank bigint, k int)
        SERVER ruattn OPTIONS (operation 'cross_attention', query_table 'askers', document_table 'parts',
                 query_id_column 'asked', document_id_column 'part');
        CREATE VIEW askers AS SELECT part AS asked, v FROM parts WHERE n < 4;
        CREATE VIEW asking AS SELECT id, v FROM numbered WHERE n < 4
    """)
    found = rows(db, "SELECT asked, part, score FROM own WHERE k = 3")
    expected = rows(
        db,
        "SELECT code(query_id), code(doc_id), score FROM cross_attention WHERE query_table = 'asking'"
        " AND document_table = 'numbered' AND k = 3",
    )
    assert found == expected
    assert len(found) == 12
    assert rows(db, "SELECT count(*) FROM own JOIN parts USING (part) WHERE own.name = parts.name") == [(48,)]


@pytest.mark.bundled
def test_gat_search(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FOREIGN TABLE own
        (part uuid, name text, attention_score real, hop int, query_node_id uuid, hops int)
        SERVER ruattn
        OPTIONS (operation 'gat_search', node_table 'parts', edge_table 'coded', node_id_column 'part')
    """)
    found = rows(
        db, "SELECT part, name, attention_score, hop FROM own WHERE query_node_id = code(3) AND hops = 2"
    )
    expected = rows(
        db,
        "SELECT code(node_id), 'part ' || node_id, attention_score, hop FROM gat_search"
        " WHERE node_table = 'numbered' AND edge_table = 'links' AND query_node_id = 3 AND hops = 2",
    )
    assert found == expected
    assert len(found) == 5


def test_moe_route(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FOREIGN TABLE own (part uuid, name text, expert int, weight real, rank int) SERVER ruattn
        OPTIONS (operation 'moe_route', table_name 'parts', id_column 'part', num_experts '3')
    """)
    found = rows(db, "SELECT part, name, expert, weight FROM own ORDER BY part, rank")
    expected = rows(
        db,
        "SELECT code(id), 'part ' || id, expert, weight FROM moe_route"
        " WHERE table_name = 'numbered' AND num_experts = 3 ORDER BY id, rank",
    )
    assert found == expected
    assert len(found) == 24


def test_sliding_attention(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FOREIGN TABLE own (window_index int, "position" int, part uuid, name text, output real[])
        SERVER ruattn OPTIONS (operation 'sliding_attention', table_name 'parts', id_column 'part',
                 order_column 'n', window_size '5', stride '3')
    """)
    found = rows(db, 'SELECT window_index, "position", part, name, output FROM own')
    expected = rows(
        db,
        "SELECT window_index, \"position\", code(id), 'part ' || id, output FROM sliding_attention"
        " WHERE table_name = 'numbered' AND order_column = 'n' AND window_size = 5 AND stride = 3",
    )
    assert found == expected
    assert len(found) > 12


@pytest.mark.bundled
def test_attention(db: Connection[Any]) -> None:
    db.execute("""
        CREATE FOREIGN TABLE own (part uuid, name text, output real[], candidates uuid[]) SERVER ruattn
        OPTIONS (operation 'attention', query_table 'parts', query_id_column 'part',
                 table_name 'parts', id_column 'part')
    """)
    found = rows(db, "SELECT part, name, output FROM own WHERE candidates = ARRAY[code(2), code(5)]")
    expected = rows(
        db,
        "SELECT code(query_id), 'part ' || query_id, output FROM attention WHERE query_table = 'numbered'"
        " AND table_name = 'numbered' AND candidates = '{2,5}'",
    )
    assert found == expected
    assert len(found) == 12
