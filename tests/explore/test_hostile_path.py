"""What others have put into the role's path is not run when somebody explores, plots or fits."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ruattn_fdw.asking import Search, find_relation, relation_identifier
from ruattn_fdw.cli import doctor
from ruattn_fdw.cli.database import connect_to_read
from ruattn_fdw.cli.fitting import read_vectors
from ruattn_fdw.explore import queries
from ruattn_fdw.plots import entropy
from ruattn_fdw.server.server import Server
from ruattn_fdw.tables.mha_search import SEARCH

Connection = psycopg.Connection[Any]

DATABASE = "hostile"
TRAP = "LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END'"
FUNCTIONS = (
    "concat_ws(text, text, text)",
    "quote_ident(name)",
    "format_type(oid, text)",
    "has_any_column_privilege(oid, name)",
    "to_regclass(varchar)",
    "lower(varchar)",
    "cardinality(real[])",
    "array_send(real[])",
)
OPERATORS = (("=", "oid", "regtype"), ("=", "oid", "regclass"), (">", "real", "int"))
TRAPS = ";".join(
    [
        f"CREATE FUNCTION public.trap() RETURNS int {TRAP}",
        f"CREATE FUNCTION public.unnest(real[]) RETURNS SETOF real {TRAP}",
        *(f"CREATE FUNCTION public.{signature} RETURNS text {TRAP}" for signature in FUNCTIONS),
        *(
            f"CREATE FUNCTION public.trap({left}, {right}) RETURNS boolean {TRAP};"
            f"CREATE OPERATOR public.{name} (FUNCTION = public.trap, LEFTARG = {left}, RIGHTARG = {right})"
            for name, left, right in OPERATORS
        ),
        *(
            f"CREATE VIEW public.{table} AS SELECT e.*, public.trap() FROM attn.{table} e"
            for table in ("mha_search", "attention_types")
        ),
    ]
)


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[str]:
    """The URI of a database with the extension in a schema of its own, and traps in the schema public."""
    with psycopg.connect(server.uri(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0".encode())
        with psycopg.connect(server.uri(DATABASE), autocommit=True) as connection:
            connection.execute("""
                CREATE SCHEMA attn; CREATE EXTENSION ruattn_fdw SCHEMA attn;
                CREATE TABLE documents (id int PRIMARY KEY, title text, v real[]);
                INSERT INTO documents VALUES (1, 'one', '{1,0}'), (2, 'two', '{0,1}')
            """)
            connection.execute(TRAPS.encode())
        yield server.uri(DATABASE)
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def reading(hostile: str) -> Iterator[Connection]:
    """The session of ruattn explore and ruattn plot."""
    with connect_to_read(hostile) as connection:
        yield connection


def test_the_page(reading: Connection) -> None:
    assert "documents" in [found["name"] for found in queries.catalogue(reading, {})["relations"]]
    assert len(queries.rows(reading, {"table_name": "documents", "label": "title", "text": "O"})["rows"]) == 2
    values = {"table_name": "documents", "query": "[1,0]", "num_heads": "1"}
    assert len(queries.search(reading, {"values": values, "label": "title"})["rows"]) == 2


def test_a_plot(reading: Connection) -> None:
    values = {"table_name": "documents", "query_id": 1, "num_heads": 1, "attention_type": "multi_head"}
    assert entropy.read(reading, Search(SEARCH, values, find_relation(reading, "documents"))).rows == 2
    assert relation_identifier(reading, "documents").as_string(None) == '"public"."documents"'


def test_a_fit(hostile: str) -> None:
    with psycopg.connect(hostile, autocommit=True) as connection:
        assert read_vectors(connection, "documents", None).shape == (2, 2)


def test_the_doctor(hostile: str) -> None:
    assert all(finding.item != "error" for finding in doctor.answers(hostile))
