"""What a mechanism is fitted to, and a graph that it walks, are what the role sees, whoever asked before."""

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

MECHANISMS = "SELECT name FROM attention_types WHERE 'mha_search' = ANY (operations) ORDER BY name"
FITTED = {"routing", "multi_head_latent"}
ROLE = "ruattn_first"


def answer(session: Connection, table: str, mechanism: str, clause: str) -> Rows:
    """(id, score, lse) of all rows."""
    statement = f"""
        SELECT id, score, lse FROM mha_search WHERE table_name = '{table}' AND query = '{{1,0.5,-1,0.25}}'
        AND num_heads = 1 AND attention_type = '{mechanism}' {clause}
    """
    return session.execute(statement.encode()).fetchall()


def needed(session: Connection, mechanism: str) -> str | None:
    """What a search by that mechanism needs besides, None where it needs more than an order."""
    for clause in ("", "AND order_column = 'id'"):
        try:
            answer(session, "documents", mechanism, clause)
        except psycopg.Error:
            continue
        return clause
    return None


def test_every_mechanism(by_owner: Connection) -> None:
    by_owner.execute(f"GRANT SELECT ON of_{ROLE} TO {ROLE}".encode())
    names = [name for (name,) in by_owner.execute(MECHANISMS.encode())]
    clauses = {name: clause for name in names if (clause := needed(by_owner, name)) is not None}
    assert set(clauses) >= FITTED
    assert len(clauses) > 20
    for name, clause in clauses.items():
        everything = answer(by_owner, "documents", name, clause)
        by_owner.execute(f"SET ROLE {ROLE}".encode())
        seen, wanted = (answer(by_owner, table, name, clause) for table in ("documents", f"of_{ROLE}"))
        by_owner.execute("RESET ROLE")
        assert len(everything) == 30
        assert seen == wanted, name
        assert len(seen) == 10


def test_experts_of_a_table(by_owner: Connection) -> None:
    by_owner.execute(f"GRANT SELECT ON of_{ROLE} TO {ROLE}".encode())
    route = "SELECT id, expert, weight FROM moe_route WHERE table_name = '{}' AND num_experts = 3"
    assert by_owner.execute(route.format("documents").encode()).rowcount > 20
    by_owner.execute(f"SET ROLE {ROLE}".encode())
    seen, wanted = (
        by_owner.execute(route.format(t).encode()).fetchall() for t in ("documents", f"of_{ROLE}")
    )
    assert seen == wanted
    assert seen


def test_a_graph(by_owner: Connection) -> None:
    by_owner.execute(
        f"""
        CREATE TABLE links AS SELECT i AS source, i % 30 + 1 AS target, 'postgres'::name AS owner
                              FROM generate_series(1, 30) i;
        INSERT INTO links VALUES (3, 6, '{ROLE}'), (3, 9, '{ROLE}'), (6, 12, '{ROLE}'), (3, 7, '{ROLE}');
        ALTER TABLE links ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON links USING (owner = current_user);
        CREATE TABLE of_links AS SELECT * FROM links WHERE owner = '{ROLE}';
        GRANT SELECT ON links, of_links, of_{ROLE} TO {ROLE}
    """.encode()
    )
    walk = (
        "SELECT node_id, attention_score, hop FROM gat_search WHERE node_table = '{}' AND edge_table = '{}'"
        " AND query_node_id = 3 AND hops = 3"
    )
    every = by_owner.execute(walk.format("documents", "links").encode()).fetchall()
    by_owner.execute(f"SET ROLE {ROLE}".encode())
    seen = by_owner.execute(walk.format("documents", "links").encode()).fetchall()
    assert seen == by_owner.execute(walk.format(f"of_{ROLE}", "of_links").encode()).fetchall()
    assert {row[0] for row in seen} == {3, 6, 9, 12}
    assert len(every) > len(seen)
