"""What others have warmed is given to those only who may read it."""

from typing import Any

import psycopg
import pytest
from searches import GRANT, refused, search

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]


def test_a_warm_answer_is_refused_and_given_as_privileges_come_and_go(
    owner: Connection, first: Connection
) -> None:
    for _ in range(2):
        assert refused(first) == "permission denied for table documents"
        owner.execute(GRANT)
        for _ in range(2):
            assert len(search(first)) == 30
        owner.execute("REVOKE SELECT ON documents FROM ruattn_first")


def test_a_privilege_that_is_revoked_within_a_transaction(owner: Connection, first: Connection) -> None:
    owner.execute(GRANT)
    first.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    for _ in range(2):
        assert len(search(first)) == 30
    owner.execute("REVOKE SELECT ON documents FROM ruattn_first")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        first.execute("SELECT id FROM documents")
    first.execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ")
    refused(first)


def test_columns_that_the_owner_has_warmed(owner: Connection, first: Connection) -> None:
    owner.execute("ALTER TABLE documents ADD secret real[] DEFAULT '{1,2,3,4}', ADD number int DEFAULT 1")
    for column in ("v", "secret") * 2:
        assert len(search(owner, clauses=f" AND vector_column = '{column}'")) == 30
    owner.execute("GRANT SELECT (id, v) ON documents TO ruattn_first")
    for _ in range(2):
        assert len(search(first, clauses=" AND vector_column = 'v'")) == 30
        refused(first, clauses=" AND vector_column = 'secret'")
        refused(first, clauses=" AND vector_column = 'v' AND id_column = 'number'")
    owner.execute("REVOKE SELECT (id) ON documents FROM ruattn_first")
    refused(first, clauses=" AND vector_column = 'v'")


def test_without_usage_on_the_schema(owner: Connection, first: Connection) -> None:
    owner.execute("CREATE SCHEMA closed; ALTER TABLE documents SET SCHEMA closed")
    owner.execute("GRANT SELECT ON closed.documents TO ruattn_first")
    for _ in range(2):
        assert len(search(owner, "closed.documents")) == 30
    assert refused(first, "closed.documents") == "permission denied for schema closed"


def test_views_read_with_the_rights_of_their_owner(owner: Connection, first: Connection) -> None:
    owner.execute("""
        CREATE VIEW plain AS SELECT * FROM documents WHERE id <= 5;
        CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM documents WHERE id <= 5;
        GRANT SELECT ON plain, barrier TO ruattn_first
    """)
    for view in ("plain", "barrier"):
        for _ in range(2):
            assert len(search(owner, view)) == len(search(first, view)) == 5
    assert refused(first) == "permission denied for table documents"
    owner.execute("REVOKE SELECT ON plain FROM ruattn_first")
    assert refused(first, "plain") == "permission denied for view plain"


def test_views_with_the_rights_of_the_caller(server: Server, owner: Connection, first: Connection) -> None:
    if server.installation.major < 15:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            owner.execute("CREATE VIEW invoker WITH (security_invoker) AS SELECT * FROM documents")
        return
    owner.execute("CREATE VIEW invoker WITH (security_invoker) AS SELECT * FROM documents")
    owner.execute("GRANT SELECT ON invoker TO ruattn_first")
    for _ in range(2):
        assert len(search(owner, "invoker")) == 30
        assert refused(first, "invoker") == "permission denied for table documents"


def test_parents_are_read_without_rights_on_their_partitions(owner: Connection, first: Connection) -> None:
    owner.execute("""
        CREATE TABLE parent (id int, v real[]) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF parent FOR VALUES FROM (1) TO (100);
        INSERT INTO parent SELECT id, v FROM documents;
        GRANT SELECT ON parent TO ruattn_first
    """)
    for _ in range(2):
        assert (
            len(search(owner, "parent")) == len(search(owner, "part")) == len(search(first, "parent")) == 30
        )
    assert refused(first, "part") == "permission denied for table part"
