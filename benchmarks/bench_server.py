"""A throw-away server with the data of the workloads in it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
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


def copy_rows(connection: Connection, table: str, blocks: Iterable[np.ndarray]) -> None:
    """COPY rows of floats (n, d), ids from 1, into a new table of id and embedding (real[]).

    The stream of COPY is laid out by numpy, a block at a time: rows of Python floats would take minutes.
    """
    connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, embedding real[])".encode())
    number = 1
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for block in blocks:
            copy.write(_copy_data(block, number).tobytes())
            number += len(block)
        copy.write(b"\xff\xff")


def _copy_data(block: np.ndarray, first_id: int) -> np.ndarray:
    """Rows in the layout of binary COPY: number of fields, then size and value of each."""
    width = block.shape[1]
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("id_size", ">i4"),
            ("id", ">i8"),
            ("array_size", ">i4"),
            ("array_head", ">i4", 5),
            ("elements", [("size", ">i4"), ("value", ">f4")], width),
        ]
    )
    data = np.empty(len(block), row)
    data["fields"], data["id_size"] = 2, 8
    data["id"] = np.arange(first_id, first_id + len(block))
    data["array_size"] = 20 + 8 * width
    # one dimension, no nulls, elements of type float4, their number, the first one's subscript
    data["array_head"] = (1, 0, 700, width, 1)
    data["elements"]["size"], data["elements"]["value"] = 4, block
    return data


def in_blocks(matrix: np.ndarray, rows: int = 20_000) -> Iterator[np.ndarray]:
    """The matrix, some rows at a time."""
    for start in range(0, len(matrix), rows):
        yield matrix[start : start + rows]


def load_embeddings(connection: Connection, matrix: np.ndarray) -> None:
    """Tables words (real[]) and words_vector (vector), one row for each embedding, ids from 1."""
    copy_rows(connection, "words", in_blocks(matrix))
    connection.execute(
        "CREATE TABLE words_vector AS SELECT id, embedding::vector(384) AS embedding FROM words"
    )
    connection.execute("ALTER TABLE words_vector ADD PRIMARY KEY (id)")
    connection.execute("VACUUM ANALYZE")


def load_wide(connection: Connection) -> None:
    """Table wide: 100,000 rows of 768 random floats, which PostgreSQL stores out of line."""
    copy_rows(connection, "wide", in_blocks(generated(WIDE_ROWS, WIDE_DIMENSIONS)))
    connection.execute("VACUUM ANALYZE wide")


def generated(rows: int, dimensions: int) -> np.ndarray:
    """Random floats (rows, dimensions), of unit length as embeddings are."""
    made = np.random.default_rng(0).standard_normal((rows, dimensions), np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


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
