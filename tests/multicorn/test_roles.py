"""Who reads: the role of the user mapping, which has shown its password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
pytestmark = pytest.mark.multicorn

SECRET = "a secret that nobody sees"
SEARCH = (
    "SELECT id FROM mha_search WHERE table_name = 'documents' AND query_id = 1 AND num_heads = 1 AND k = 1"
)
ROLES = f"""
CREATE ROLE reader LOGIN PASSWORD '{SECRET}';
CREATE ROLE stranger LOGIN;
GRANT SELECT ON documents TO reader;
CREATE USER MAPPING FOR reader SERVER ruattn OPTIONS (user 'reader', password '{SECRET}');
CREATE USER MAPPING FOR stranger SERVER ruattn OPTIONS (user 'postgres')
"""


@pytest.fixture
def roles(documents: Connection, server: Server) -> Iterator[Connection]:
    """The table with two roles, of which one may read it; the server asks it for its password."""
    documents.execute(ROLES)
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all reader scram-sha-256\n{before}")
    documents.execute("SELECT pg_reload_conf()")
    yield documents
    rules.write_text(before)
    documents.execute("RESET ROLE; SELECT pg_reload_conf()")


def test_a_role_reads_with_the_password_of_its_mapping(roles: Connection) -> None:
    roles.execute("SET ROLE reader")
    assert roles.execute(SEARCH.encode()).fetchall() == [(1,)]


def test_its_privileges_count(roles: Connection) -> None:
    roles.execute("REVOKE SELECT ON documents FROM reader; SET ROLE reader")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for table documents"):
        roles.execute(SEARCH.encode())


def test_row_security_counts(roles: Connection) -> None:
    roles.execute(
        "ALTER TABLE documents ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON documents USING (id < 4)"
    )
    query = SEARCH.replace("SELECT id", "SELECT count(*)").replace(" AND k = 1", "").encode()
    assert roles.execute(query).fetchall() == [(12,)]
    roles.execute("SET ROLE reader")
    assert roles.execute(query).fetchall() == [(3,)]
    roles.execute("RESET ROLE")
    assert roles.execute(query).fetchall() == [(12,)]


def test_nobody_gets_in_as_another_without_a_password(roles: Connection) -> None:
    roles.execute("SET ROLE stranger")
    with pytest.raises(psycopg.Error, match="a password is required") as caught:
        roles.execute(SEARCH.encode())
    assert caught.value.sqlstate == "2F003"
    assert "USER MAPPING" in (caught.value.diag.message_hint or "")


def test_the_password_is_never_shown(roles: Connection, server: Server, failure: Callable[..., Any]) -> None:
    roles.execute("ALTER USER MAPPING FOR reader SERVER ruattn OPTIONS (SET user 'nobody'); SET ROLE reader")
    error = failure(roles, SEARCH)
    said = f"{error} {error.diag.message_detail} {error.diag.message_hint}"
    roles.execute(
        "RESET ROLE; ALTER USER MAPPING FOR reader SERVER ruattn OPTIONS (SET user 'reader'); SET ROLE reader"
    )
    plan = str(roles.execute(f"EXPLAIN (ANALYZE, VERBOSE) {SEARCH}".encode()).fetchall())
    statements_aside = [line for line in server.log.read_text().splitlines() if "STATEMENT" not in line]
    assert SECRET not in said + plan + "".join(statements_aside)
