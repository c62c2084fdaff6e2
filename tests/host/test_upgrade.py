"""ALTER EXTENSION UPDATE leaves a database as a fresh CREATE EXTENSION makes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server
from tests.plugins.servers import held

Connection = psycopg.Connection[Any]

RELEASED = Path(__file__).parent / "released"
[LAST] = {script.stem.split("--")[1] for script in RELEASED.iterdir()}

# of each member of an extension its comment, and all that the catalogues say of it without numbers
DETAILS = {
    "pg_proc": "pg_get_function_arguments(oid), pg_get_function_result(oid), prosrc, probin, prokind,"
    " provolatile, proisstrict, proparallel, procost, prorows, proacl",
    "pg_type": "typinput, typoutput, typreceive, typsend, typlen, typalign, typstorage, typelem::regtype",
    "pg_operator": "oprcode, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin, oprcanmerge,"
    " oprcanhash",
    "pg_cast": "castcontext, castmethod, castfunc::regprocedure",
    "pg_opclass": "opcdefault, opckeytype::regtype",
    "pg_foreign_server": "srvacl, srvoptions",
    "pg_class": "relacl, (SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = oid),"
    " (SELECT array_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attstorage,"
    " pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)) ORDER BY attnum)"
    " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    " WHERE attrelid = pg_class.oid AND attnum > 0),"
    " (SELECT array_agg(conname || pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint"
    " WHERE conrelid = pg_class.oid)",
}
CASES = (
    f"WHEN '{name}' THEN (SELECT concat_ws('|', {facts}) FROM {name} WHERE oid = objid)"
    for name, facts in DETAILS.items()
)
MEMBERS = f"""
SELECT pg_describe_object(classid, objid, 0), obj_description(objid, classid::regclass::name),
       CASE classid::regclass::text {" ".join(CASES)} END
FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
     AND refobjid = (SELECT oid FROM pg_extension WHERE extname = %s)
UNION ALL
SELECT extversion, extcondition::text, extconfig::regclass[]::text FROM pg_extension WHERE extname = %s
ORDER BY 1
"""

USED = """
CREATE TABLE docs (id int PRIMARY KEY, vec real[]);
INSERT INTO docs SELECT i, ARRAY[cos(i), sin(i)]::real[] FROM generate_series(1, 9) i;
CREATE INDEX attn ON docs USING ruvector_attention (vec) INCLUDE (id) WITH (attention_type = 'cosine');
CREATE FOREIGN TABLE mine (id int, score real, query attention_vector)
SERVER ruattn OPTIONS (operation 'mha_search', table_name 'docs', k '3');
"""
SEARCH = "SELECT id, score FROM mine WHERE query = '{1,0}'"


def members(connection: Connection, extension: str) -> list[tuple[Any, ...]]:
    return connection.execute(MEMBERS.encode(), [extension, extension]).fetchall()


@pytest.fixture
def released(server: Server) -> Iterator[None]:
    """The scripts of the last version beside those of this."""
    folder = server.installation.sharedir / "extension"
    copies = [folder / script.name for script in RELEASED.iterdir()]
    with held(server.installation):
        for copy in copies:
            copy.write_bytes((RELEASED / copy.name).read_bytes())
        yield
        for copy in copies:
            copy.unlink()


@pytest.mark.usefixtures("released")
def test_an_upgrade_ends_where_a_fresh_installation_does(db: Connection) -> None:
    fresh = members(db, "ruattn_fdw")
    assert len(fresh) > 100
    db.execute("DROP EXTENSION ruattn_fdw")
    db.execute(f"CREATE EXTENSION ruattn_fdw VERSION '{LAST}'".encode())
    assert members(db, "ruattn_fdw") != fresh
    db.execute("ALTER EXTENSION ruattn_fdw UPDATE")
    assert members(db, "ruattn_fdw") == fresh


@pytest.mark.usefixtures("released")
def test_what_users_have_made_goes_on(db: Connection) -> None:
    db.execute("DROP EXTENSION ruattn_fdw")
    db.execute(f"CREATE EXTENSION ruattn_fdw VERSION '{LAST}'".encode())
    db.execute(USED)
    before = db.execute(SEARCH).fetchall()
    assert len(before) == 3
    db.execute("ALTER EXTENSION ruattn_fdw UPDATE")
    assert db.execute(SEARCH).fetchall() == before
    assert db.execute("SELECT state FROM attention_indexes").fetchall() == [("warm",)]


@pytest.mark.usefixtures("released", "pgvector")
def test_the_companion_is_upgraded_too(db: Connection) -> None:
    db.execute("CREATE EXTENSION ruattn_fdw_pgvector CASCADE")
    fresh = members(db, "ruattn_fdw_pgvector")
    assert len(fresh) > 12
    db.execute("DROP EXTENSION ruattn_fdw_pgvector")
    db.execute(f"CREATE EXTENSION ruattn_fdw_pgvector VERSION '{LAST}'".encode())
    db.execute("ALTER EXTENSION ruattn_fdw_pgvector UPDATE")
    assert members(db, "ruattn_fdw_pgvector") == fresh
