"""A table, the file that holds its vectors once it was searched, and what a search of it must answer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Ask = Callable[..., str]

DOCS = """
CREATE TABLE docs AS
SELECT n AS id, (SELECT array_agg(sin(n * 16 + d)::real) FROM generate_series(1, 16) d) AS v
FROM generate_series(1, 2000) n
"""
SEARCH = "SELECT id, score, logit FROM mha_search WHERE table_name = '{}' AND query_id = 7 AND num_heads = 2"


@pytest.fixture
def folder(server: Server) -> Path:
    """Where the files lie."""
    return server.data / "base" / "pgsql_tmp"


@pytest.fixture
def files(folder: Path) -> Callable[[], set[Path]]:
    """Gives all files there, whole and half built."""
    return lambda: set(folder.glob("pgsql_tmp_ruattn*"))


@pytest.fixture
def ask(connect: Connect) -> Ask:
    """Asserts that a search is answered as one that uses no copy, and says how its copy was used."""
    afresh = connect(options="-c ruattn_fdw.cache_size=0")

    def run(session: Connection, table: str = "docs") -> str:
        statement = SEARCH.format(table).encode()
        plan = session.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement).fetchall()[0][0][0]["Plan"]
        found, wanted = session.execute(statement).fetchall(), afresh.execute(statement).fetchall()
        assert [row[0] for row in found] == [row[0] for row in wanted]
        np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-5, atol=1e-7)
        return str(plan["Cache Use"])

    return run


@pytest.fixture
def docs(db: Connection) -> Connection:
    """A session with `docs`, 2,000 rows of 16 dimensions that nobody has searched."""
    db.execute(DOCS)
    db.execute("VACUUM docs")
    return db


@pytest.fixture
def stored(docs: Connection, files: Callable[[], set[Path]], ask: Ask) -> Iterator[Path]:
    """The file of `docs`, which the session of `docs` has mapped; whatever is there afterwards is removed."""
    before = files()
    assert ask(docs) == "built"
    assert ask(docs) == "hit"
    (path,) = files() - before
    yield path
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


@pytest.fixture
def give(server: Server) -> Callable[[Path], Path]:
    """Makes a file one of the server's account, as all of its own are."""

    def run(path: Path, mode: int = 0o600) -> Path:
        path.chmod(mode)
        os.chown(path, server.account.uid, server.account.gid)
        return path

    return run
