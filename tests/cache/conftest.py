"""Matrix files in this process, with a host made of Python, and in backends of a server, which tests call."""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from ruattn_fdw import host_api
from ruattn_fdw.cache.file_format import Section
from ruattn_fdw.cache.matrix_file import MatrixFile
from ruattn_fdw.server.server import Server

HERE = Path(__file__).parent
REGISTER = "import probes, ruattn_fdw.tables; ruattn_fdw.tables.TABLES['probe'] = probes.Probe"
NAME = "00112233445566ff"

Backend = Callable[..., Any]


class FakeMapping(mmap.mmap):
    """Words of 64 bits on a mapping of Python's."""

    damaged = False

    def prepare(self, offset: int, size: int) -> None:
        assert 0 <= offset <= offset + size <= len(self)

    def load(self, offset: int) -> int:
        return int(struct.unpack_from("=q", self, offset)[0])

    def store(self, offset: int, value: int) -> None:
        struct.pack_into("=q", self, offset, value)


class FakeHost:
    """What matrix files ask of the host; `cancelled_after` checks for interrupts one is found."""

    cancelled_after = -1

    def map_file(self, fd: int, size: int, writable: bool) -> FakeMapping:
        return FakeMapping(fd, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)

    def crc32c(self, *buffers: Any) -> int:
        checksum = 0
        for buffer in buffers:
            checksum = zlib.crc32(buffer, checksum)
        return checksum

    def check_interrupts(self) -> None:
        if self.cancelled_after == 0:
            raise InterruptedError
        self.cancelled_after -= 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(host_api, "host", lambda: fake)
    monkeypatch.setattr(host_api, "is_bundled", lambda: True)
    return fake


@pytest.fixture
def data(host: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of matrix files below a working directory like a server's; it does not exist yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    return tmp_path / "base" / "pgsql_tmp"


@pytest.fixture
def create(data: Path) -> Callable[..., MatrixFile]:
    """Builds a file of 2,500 rows, as many of them filled and covered by checksums as asked for."""
    sections = [
        Section("keys", "f4", (2500, 7)),
        Section("ids", np.int64, (2500,)),
        Section("seen", np.uint8, (2500,), mutable=True),
    ]

    def build(
        name: str = "0123456789abcdef", identity: bytes = bytes(range(32)), rows: int = 2500
    ) -> MatrixFile:
        file = MatrixFile.create(name, identity, sections)
        file.arrays["keys"][:rows] = np.random.default_rng(0).normal(size=(rows, 7))
        file.arrays["ids"][:rows] = np.arange(rows)
        file.add_checksums(0, rows)
        return file

    return build


@pytest.fixture
def path(create: Callable[..., MatrixFile], data: Path) -> Path:
    """Where a file lies that was published under the name 0123456789abcdef."""
    create().publish()
    return data / "pgsql_tmp_ruattn_0123456789abcdef"


@pytest.fixture(scope="session")
def interpreter(interpreter_with: Callable[[Path, str], Path]) -> Path:
    return interpreter_with(HERE / "probes.py", REGISTER)


@pytest.fixture
def backend(connect: Callable[..., psycopg.Connection[Any]], interpreter: Path) -> Callable[[], Backend]:
    """Starts a session; what it gives calls a function of probes.py in there by its name."""

    def open_session() -> psycopg.Connection[Any]:
        session = connect()
        session.execute(f"SET ruattn_fdw.python = '{interpreter}'".encode())
        return session

    open_session().execute(
        "CREATE FOREIGN TABLE probe (answer text, call text) SERVER ruattn OPTIONS (operation 'probe')"
    )

    def start() -> Backend:
        session = open_session()

        def call(*function_and_values: object) -> Any:
            row = session.execute(
                "SELECT answer FROM probe WHERE call = %s::text", [json.dumps(function_and_values)]
            ).fetchone()
            assert row is not None
            return json.loads(row[0])

        return call

    return start


@pytest.fixture
def stored_file(server: Server) -> Path:
    """Where the file of probes.py lies, as seen from here; removed afterwards."""
    path = Path(server.data, "base", "pgsql_tmp", f"pgsql_tmp_ruattn_{NAME}")
    path.unlink(missing_ok=True)
    return path
