"""What somebody left in the schema beforehand does not become a part of the extension that is made there."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ruattn_fdw.server.server import Server

Failure = Callable[..., psycopg.Error]

TRAPS = """
DO $$
DECLARE
    types regtype[] := '{smallint,integer,bigint,real,double precision,numeric,text,name,oid,regclass}';
    a regtype; b regtype; operator text;
BEGIN
    FOREACH a IN ARRAY types LOOP
        FOREACH b IN ARRAY types LOOP
            CONTINUE WHEN a = b;
            EXECUTE format('CREATE FUNCTION trap(%s, %s) RETURNS boolean LANGUAGE plpgsql'
                           ' AS ''BEGIN RAISE ''''trapped %%'''', current_user; END''', a, b);
            FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=,+,-,*,||}'::text[] LOOP
                EXECUTE format('CREATE OPERATOR %s (FUNCTION = trap, LEFTARG = %s, RIGHTARG = %s)',
                               operator, a, b);
            END LOOP;
        END LOOP;
    END LOOP;
END $$
"""
WEIGHTS = "INSERT INTO ruattn_weights (name, tensor, shape, data) VALUES ('a', 'W_q', '{1,2}', '{1,2}')"


@pytest.fixture
def admin(server: Server) -> Iterator[Connection[Any]]:
    """A superuser in a database without the extension, where `ruattn_eve` may create in the schema public."""
    with psycopg.connect(server.uri(), autocommit=True) as elsewhere:
        elsewhere.execute("CREATE ROLE ruattn_eve")
        elsewhere.execute("CREATE DATABASE hostile TEMPLATE template0")
        with psycopg.connect(server.uri("hostile"), autocommit=True) as session:
            session.execute("GRANT CREATE ON SCHEMA public TO ruattn_eve")
            yield session
        elsewhere.execute("DROP DATABASE hostile WITH (FORCE)")
        elsewhere.execute("DROP ROLE ruattn_eve")


def test_operators_of_mixed_types(admin: Connection[Any]) -> None:
    admin.execute(f"SET ROLE ruattn_eve; {TRAPS}; RESET ROLE".encode())
    admin.execute("CREATE EXTENSION ruattn_fdw")
    admin.execute(WEIGHTS.encode())
    # refused where anything of somebody else's depends on them
    admin.execute("DROP OWNED BY ruattn_eve")


@pytest.mark.parametrize("wrong", ["vector", "halfvec", "attention_vector"])
def test_a_type_called_like_one_that_pgvectors_companion_takes(
    admin: Connection[Any], pgvector: None, wrong: str, failure: Failure
) -> None:
    admin.execute("CREATE SCHEMA good")
    admin.execute("CREATE EXTENSION ruattn_fdw SCHEMA good; CREATE EXTENSION vector SCHEMA good")
    admin.execute(f"SET ROLE ruattn_eve; CREATE DOMAIN public.{wrong} AS integer; RESET ROLE".encode())
    error = failure(admin, "CREATE EXTENSION ruattn_fdw_pgvector SCHEMA public")
    assert error.sqlstate == "42809"
    assert f'type "{wrong}" is not' in str(error)
    admin.execute("CREATE EXTENSION ruattn_fdw_pgvector SCHEMA good")
