"""What others have warmed gives nobody a row or a number that plain SQL would not give him."""

from typing import Any

import psycopg
import pytest
from searches import GRANT, SEARCH, refused, same, search

Connection = psycopg.Connection[Any]


def test_rows_of_each_role(by_owner: Connection, first: Connection, second: Connection) -> None:
    for _ in range(2):
        for session, role in ((first, "ruattn_first"), (second, "ruattn_second")):
            assert same(search(session), search(by_owner, f"of_{role}"))
            assert len(search(by_owner)) == 30


def test_one_session_in_several_roles(by_owner: Connection) -> None:
    for role in ("ruattn_first", "ruattn_second", "ruattn_first"):
        wanted = search(by_owner, f"of_{role}")
        by_owner.execute(f"SET ROLE {role}".encode())
        for _ in range(2):
            assert same(search(by_owner), wanted)
        by_owner.execute("RESET ROLE")
        assert len(search(by_owner)) == 30


@pytest.mark.parametrize(
    "mechanism", ["multi_head_latent", "information_bottleneck", "mincut_gated", "diffusion"]
)
def test_what_a_mechanism_fits_to_the_keys_is_of_the_roles_own_rows(
    by_owner: Connection, first: Connection, mechanism: str
) -> None:
    clause = f" AND attention_type = '{mechanism}'"
    for _ in range(2):
        search(by_owner, clauses=clause)
        assert same(search(first, clauses=clause), search(by_owner, "of_ruattn_first", clause))


def test_a_policy_that_asks_a_setting(owner: Connection, first: Connection) -> None:
    owner.execute(f"ALTER TABLE documents ENABLE ROW LEVEL SECURITY; {GRANT}")
    owner.execute("CREATE POLICY tenant ON documents USING (id % 3 = current_setting('app.tenant')::int)")
    for tenant in (0, 1, 0, 2):
        first.execute(f"SET app.tenant = {tenant}".encode())
        for _ in range(2):
            assert {row[0] % 3 for row in search(first)} == {tenant}
    first.execute("SET app.tenant = 9")
    assert search(first) == []


def test_policies_that_change_after_the_role_has_searched(owner: Connection, first: Connection) -> None:
    owner.execute(GRANT)
    steps = (
        ("SELECT", 30),
        ("ALTER TABLE documents ENABLE ROW LEVEL SECURITY", 0),
        ("CREATE POLICY p ON documents USING (id <= 10)", 10),
        ("ALTER POLICY p ON documents USING (id <= 20)", 20),
        ("CREATE POLICY q ON documents AS RESTRICTIVE USING (id > 15)", 5),
        ("DROP POLICY q ON documents", 20),
        ("ALTER POLICY p ON documents TO ruattn_second", 0),
        ("ALTER ROLE ruattn_first BYPASSRLS", 30),
        ("ALTER ROLE ruattn_first NOBYPASSRLS", 0),
        ("ALTER TABLE documents DISABLE ROW LEVEL SECURITY", 30),
    )
    for statement, rows in steps:
        owner.execute(statement.encode())
        for _ in range(2):
            assert len(search(first)) == rows, statement
    assert len(search(owner)) == 30


def test_a_policy_that_reads_another_table(owner: Connection, first: Connection) -> None:
    owner.execute(f"ALTER TABLE documents ENABLE ROW LEVEL SECURITY; {GRANT}")
    owner.execute("CREATE TABLE readers (reader name, document int); GRANT SELECT ON readers TO PUBLIC")
    owner.execute("""
        CREATE POLICY listed ON documents USING
            (EXISTS (SELECT FROM readers WHERE reader = current_user AND document = id))
    """)
    for number in range(1, 4):
        owner.execute("INSERT INTO readers VALUES ('ruattn_first', %s)", [number])
        for _ in range(2):
            assert sorted(row[0] for row in search(first)) == list(range(1, number + 1))


def test_the_owner_under_forced_row_security(owner: Connection, first: Connection) -> None:
    owner.execute("ALTER TABLE documents OWNER TO ruattn_first")
    owner.execute("CREATE POLICY p ON documents USING (id <= 10)")
    owner.execute("ALTER TABLE documents ENABLE ROW LEVEL SECURITY")
    for statement, rows in (("", 30), ("FORCE", 10), ("NO FORCE", 30)):
        if statement:
            owner.execute(f"ALTER TABLE documents {statement} ROW LEVEL SECURITY".encode())
        for _ in range(2):
            assert len(search(first)) == rows


def test_row_security_off_is_an_error_not_a_bypass(by_owner: Connection, first: Connection) -> None:
    assert len(search(first)) == 10
    first.execute("SET row_security = off")
    refused(first)


def test_a_hidden_row_as_query_or_candidate(by_owner: Connection, first: Connection) -> None:
    """Row 2 is the superuser's, row 99 is not there."""
    messages = []
    for row in (2, 99):
        with pytest.raises(psycopg.Error) as caught:
            first.execute("SELECT FROM mha_search WHERE table_name = 'documents' AND query_id = %s", [row])
        messages.append(str(caught.value).replace(str(row), "N"))
    assert messages[0] == messages[1]
    found = search(first, clauses=" AND candidates = '{2,3,6,99}'")
    assert sorted(row[0] for row in found) == [3, 6]
    assert sum(row[1] for row in found) == pytest.approx(1)


@pytest.mark.parametrize("vector", ["{NaN,1,1,1}", "{1,2}", "{1,NULL,1,1}", "{}"])
def test_a_bad_vector_in_a_hidden_row_is_not_the_roles_concern(
    by_owner: Connection, first: Connection, vector: str
) -> None:
    by_owner.execute("INSERT INTO documents VALUES (31, 'postgres', %s::text::real[])", [vector])
    for _ in range(2):
        with pytest.raises(psycopg.DatabaseError):
            search(by_owner)
        assert same(search(first), search(by_owner, "of_ruattn_first"))


def test_explain_tells_a_role_nothing_of_hidden_rows(by_owner: Connection, first: Connection) -> None:
    by_owner.execute("INSERT INTO documents VALUES (31, 'postgres', NULL)")
    for _ in range(2):
        assert len(search(by_owner)) == 30
        statement = f"EXPLAIN (ANALYZE, FORMAT JSON) {SEARCH.format('documents')}"
        plan = first.execute(statement.encode()).fetchall()[0][0][0]["Plan"]
        assert plan["Actual Rows"] == 10
        assert plan["Rows Read"] <= 10
        assert plan["NULL Vectors Skipped"] == 0


def test_an_index_counts_no_rows_for_a_role_that_may_not_see_all(
    by_owner: Connection, first: Connection
) -> None:
    by_owner.execute("CREATE INDEX attn ON documents USING ruvector_attention (v) INCLUDE (id)")
    assert len(search(by_owner)) == 30
    listed = "SELECT rows, state FROM attention_indexes"
    assert by_owner.execute(listed).fetchall() == [(30, "warm")]
    assert first.execute(listed).fetchall() == [(None, "warm")]
    for function in ("ruvector_attention_index_stats", "ruvector_attention_index_check"):
        assert by_owner.execute(f"SELECT {function}('attn')".encode()).rowcount >= 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row security may hide rows"):
            first.execute(f"SELECT {function}('attn')".encode())


def test_security_definer(by_owner: Connection, first: Connection) -> None:
    body = SEARCH.format("documents").replace("SELECT id, score, logit, lse[1]", "SELECT count(*)")
    for name, security in (("as_owner", "SECURITY DEFINER"), ("as_caller", "SECURITY INVOKER")):
        by_owner.execute(
            f"CREATE FUNCTION {name}() RETURNS bigint LANGUAGE sql {security} AS $$ {body} $$".encode()
        )
    for _ in range(2):
        assert first.execute("SELECT as_owner(), as_caller()").fetchall() == [(30, 10)]
