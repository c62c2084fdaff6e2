"""Where no file can be written, searches read the source and say why, once."""

import contextlib
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Ask = Callable[..., str]
MB = 1 << 20


@contextlib.contextmanager
def warnings(session: Connection) -> Iterator[list[str]]:
    """Collects the session's warnings."""
    found: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            found.append(str(diagnostic.message_primary))

    session.add_notice_handler(note)
    yield found
    session.remove_notice_handler(note)


def test_a_folder_that_cannot_be_written(docs: Connection, connect: Connect, folder: Path, ask: Ask) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.stat()
    folder.chmod(0o500)
    try:
        with warnings(docs) as found:
            for _ in range(3):
                assert ask(docs).startswith("none")
        assert len(found) == 1
        assert "ermission denied" in found[0]
        assert ask(connect()).startswith("none")
    finally:
        folder.chmod(status.st_mode & 0o777)
    new = connect()
    ask(new)
    assert ask(new) == "hit"


def test_a_folder_that_is_gone(docs: Connection, folder: Path, ask: Ask) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    assert ask(docs) == "built"
    assert ask(docs) == "hit"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def cramped(server: Server) -> Iterator[Connection]:
    """A session on a server that can write no file longer than 20 MB, as on a disk that is nearly full."""
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-test-")), server.installation, server.variables)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 * MB, limits[1]))
    try:
        running.start({"fsync": "off"})
        with psycopg.connect(running.uri(), autocommit=True) as session:
            yield session
    finally:
        running.stop()
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        shutil.rmtree(running.data, ignore_errors=True)


@pytest.mark.slow
def test_a_disk_that_is_full(cramped: Connection) -> None:
    """Vectors that the table holds compressed, but a copy does not."""
    cramped.execute("""
        CREATE EXTENSION ruattn_fdw;
        CREATE TABLE docs AS
        SELECT n AS id, array_fill(n::real, ARRAY[2000]) AS v FROM generate_series(1, 4000) n;
        CREATE TABLE few AS SELECT * FROM docs WHERE id <= 10
    """)
    search = "SELECT count(*), sum(score) FROM mha_search WHERE table_name = '{}' AND query_id = 7"
    with warnings(cramped) as found:
        for _ in range(3):
            answer = cramped.execute(search.format("docs").encode()).fetchall()
            assert answer == [(4000, pytest.approx(1, rel=1e-3))]
    assert len(found) == 1
    folder = cramped.execute("SHOW data_directory").fetchall()[0][0]
    assert list(Path(folder, "base", "pgsql_tmp").glob("pgsql_tmp_ruattn*")) == []
    assert cramped.execute(search.format("few").encode()).fetchall()[0][0] == 10
    assert len(list(Path(folder, "base", "pgsql_tmp").glob("pgsql_tmp_ruattn*"))) == 1


@pytest.mark.parametrize("size", ["0", "1MB"])
def test_a_cache_that_is_too_small(
    docs: Connection, connect: Connect, files: Callable[[], set[Path]], ask: Ask, size: str
) -> None:
    docs.execute("INSERT INTO docs SELECT id + 2000 * n, v FROM docs, generate_series(1, 9) n")
    session = connect(options=f"-c ruattn_fdw.cache_size={size}")
    before = files()
    for _ in range(2):
        use = ask(session)
        assert use.startswith("none")
        assert "cache_size" in use
    assert files() == before


def test_what_was_used_longest_ago_makes_room(
    db: Connection, connect: Connect, files: Callable[[], set[Path]], ask: Ask
) -> None:
    for path in files():
        path.unlink()
    session = connect(options="-c ruattn_fdw.cache_size=1MB")
    for number in range(12):
        db.execute(
            f"CREATE TABLE docs{number} AS SELECT n AS id, ARRAY[n, {number}, 1, 2]::real[] AS v "
            "FROM generate_series(1, 3000) n".encode()
        )
        assert ask(session, f"docs{number}") == "built"
        assert sum(os.stat(path).st_size for path in files()) <= MB
    assert ask(session, "docs11") == "hit"
    for number in range(12):
        ask(session, f"docs{number}")
        assert sum(os.stat(path).st_size for path in files()) <= MB
