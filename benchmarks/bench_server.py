"""A throw-away server with the data of the workloads in it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from ruattn_fdw.server import hostbuild
from ruattn_fdw.server.installation import Installation, find
from ruattn_fdw.server.server import Server

Connection = psycopg.Connection[Any]

HERE = Path(__file__).resolve().parent
WORDNET = HERE.parent.parent / "shared" / "data" / "wordnet" / "embeddings.f16.npy"
SAMPLE = HERE.parent / "examples" / "data" / "documents.f16.npy"
SETTINGS = {
    "shared_buffers": "1GB",
    "fsync": "off",
    "max_wal_size": "4GB",
    "max_parallel_workers_per_gather": "2",
    "max_connections": "100",
}
WIDE_ROWS, WIDE_DIMENSIONS = 100_000, 768


@contextmanager
def server(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A running embedded server with the extensions in database postgres."""
    installation = find("18")
    installation.install()
    running = Server(Path(tempfile.mkdtemp(prefix="ruattn-bench-")), installation)
    try:
        running.start({**SETTINGS, **(settings or {})})
        with connect(running) as connection:
            for extension in ("vector", "ruattn_fdw", "ruattn_fdw_pgvector"):
                connection.execute(f"CREATE EXTENSION {extension}".encode())
        yield running
    finally:
        running.stop()
        shutil.rmtree(running.data, ignore_errors=True)


def connect(running: Server) -> Connection:
    """An autocommit connection."""
    return psycopg.connect(running.uri(), autocommit=True)


def embeddings() -> np.ndarray:
    """The WordNet embeddings beside the checkout, or else the shipped sample; float32 (n, 384)."""
    return np.load(WORDNET if WORDNET.exists() else SAMPLE).astype(np.float32)


def load_embeddings(connection: Connection, matrix: np.ndarray) -> None:
    """Tables words (real[]) and words_vector (vector), one row for each embedding, ids from 1."""
    connection.execute("CREATE TABLE words (id bigint PRIMARY KEY, embedding real[])")
    with connection.cursor().copy("COPY words FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "float4[]"])
        for number, row in enumerate(matrix, 1):
            copy.write_row((number, row.tolist()))
    connection.execute(
        "CREATE TABLE words_vector AS SELECT id, embedding::vector(384) AS embedding FROM words"
    )
    connection.execute("ALTER TABLE words_vector ADD PRIMARY KEY (id)")
    connection.execute("VACUUM ANALYZE")


def load_wide(connection: Connection) -> None:
    """Table wide: 100,000 rows of 768 random floats, which PostgreSQL stores out of line."""
    connection.execute("CREATE TABLE wide (id bigint PRIMARY KEY, embedding real[])")
    generator = np.random.RandomState(0)
    with connection.cursor().copy("COPY wide FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "float4[]"])
        for number in range(1, WIDE_ROWS + 1):
            copy.write_row((number, generator.standard_normal(WIDE_DIMENSIONS).tolist()))
    connection.execute("VACUUM ANALYZE wide")


def add_spi_loop(connection: Connection, installation: Installation) -> None:
    """Compile spi_loop.c and declare its function."""
    library = Path(tempfile.mkdtemp(prefix="ruattn-spi-"))
    library.chmod(0o755)
    headers = hostbuild.pg_setting(installation.pg_config, "includedir-server")
    source, target = HERE / "spi_loop" / "spi_loop.c", library / "spi_loop.so"
    command = [*hostbuild.compiler(), "-O2", "-fPIC", "-shared", "-D_GNU_SOURCE"]
    subprocess.run([*command, "-isystem", headers, str(source), "-o", str(target)], check=True)
    connection.execute(
        "CREATE OR REPLACE FUNCTION spi_loop(text) RETURNS bigint LANGUAGE c STRICT "
        f"AS '{target}', 'spi_loop'".encode()
    )
