"""A cluster of PostgreSQL 16 goes through pg_upgrade to 18 with its tables, indexes and searches."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.hostbuild import LIBRARY, pg_setting
from ruattn_fdw.server.installation import find
from ruattn_fdw.server.server import Server
from tests.plugins import sanitizing
from tests.plugins.servers import install, run

SETTINGS = {"fsync": "off", "full_page_writes": "off"}
MADE = """
CREATE EXTENSION ruattn_fdw;
CREATE TABLE docs (id int PRIMARY KEY, vec real[]);
INSERT INTO docs SELECT i, ARRAY[cos(i), sin(i)]::real[] FROM generate_series(1, 50) i;
CREATE INDEX attn ON docs USING ruvector_attention (vec) INCLUDE (id) WITH (attention_type = 'cosine');
DELETE FROM docs WHERE id % 7 = 0;
VACUUM docs;
CREATE FOREIGN TABLE mine (id int, score real, query attention_vector)
SERVER ruattn OPTIONS (operation 'mha_search', table_name 'docs', k '5');
CREATE TABLE asked (id int PRIMARY KEY, query attention_vector);
INSERT INTO asked VALUES (1, '{0.5,0.25}');
"""
SEARCHES = (
    "SELECT id, score FROM mine WHERE query = '{1,0}'",
    "SELECT asked.id, mine.id FROM asked JOIN mine USING (query)",
    "SELECT id FROM mha_search WHERE table_name = 'docs' AND query_id = 3 AND k = 3",
)


@pytest.fixture
def clusters(pytestconfig: pytest.Config) -> Iterator[tuple[Server, Server]]:
    """An old server, which runs, and a new one, which does not; neither writes checksums, as 16 does not."""
    made, variables = [], sanitizing.variables(pytestconfig)
    for major in ("16", "18"):
        installation = find(major)
        install(installation)
        made.append(Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), installation, variables))
    old, new = made
    # pg_upgrade looks for libraries in the server's own folder only
    library = Path(pg_setting(new.installation.pg_config, "pkglibdir"), LIBRARY)
    try:
        library.symlink_to(new.installation.libdir / LIBRARY)
        new.start(SETTINGS)
        new.stop()
        run(new, "pg_checksums", "--disable", "-D", str(new.data))
        old.start(SETTINGS)
        yield old, new
    finally:
        library.unlink(missing_ok=True)
        for server in made:
            server.stop()
            shutil.rmtree(server.data, ignore_errors=True)


def answers(connection: psycopg.Connection[Any]) -> list[list[tuple[Any, ...]]]:
    return [connection.execute(search.encode()).fetchall() for search in SEARCHES]


@pytest.mark.slow
def test_pg_upgrade(clusters: tuple[Server, Server]) -> None:
    old, new = clusters
    with psycopg.connect(old.uri(), autocommit=True) as connection:
        for statement in MADE.split(";\n"):
            connection.execute(statement.encode())
        before = answers(connection)
        assert all(before)
    old.stop()
    folders = [f"--{which}-{kind}" for which in ("old", "new") for kind in ("bindir", "datadir")]
    paths = [path for server in clusters for path in (str(server.installation.bindir), str(server.data))]
    options = [text for pair in zip(folders, paths, strict=True) for text in pair]
    run(new, "pg_upgrade", "--username=postgres", f"--socketdir={new.data}", *options)
    new.start(SETTINGS)
    with psycopg.connect(new.uri(), autocommit=True) as connection:
        assert answers(connection) == before
        assert connection.execute("SELECT * FROM ruvector_attention_index_check('attn')").fetchall() == []
        connection.execute("INSERT INTO docs VALUES (100, '{1,0}')")
        assert connection.execute(SEARCHES[0].encode()).fetchall()[0][0] == 100
