"""Nothing but a whole file of ours is ever opened, or taken for current."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ruattn_fdw.cache.file_format import HEADER_SIZE
from ruattn_fdw.cache.matrix_file import MatrixFile
from ruattn_fdw.host_api import crc32c
from tests.cache.damage import flip

Create = Callable[..., MatrixFile]
NAME = "0123456789abcdef"
IDENTITY, OTHER_IDENTITY = bytes(range(32)), bytes(32)
MAGIC, VERSION = b"RUATTNMF", 2


def write_start(path: Path, magic: bytes, version: int) -> None:
    """A header that is right but for what it starts with."""
    header = bytearray(path.read_bytes()[:HEADER_SIZE])
    struct.pack_into("<8sII", header, 0, magic, version, 0)
    struct.pack_into("<I", header, 12, crc32c(header))
    with path.open("r+b") as file:
        file.write(header)


def replace_with_link(path: Path, link: Callable[[Path, Path], None]) -> None:
    real = path.rename(path.with_name("elsewhere"))
    link(real, path)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


SPOILT: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "symbolic link": lambda path: replace_with_link(path, lambda real, link: link.symlink_to(real)),
    "hard link": lambda path: replace_with_link(path, lambda real, link: link.hardlink_to(real)),
    "directory": lambda path: replace(path, lambda at: at.mkdir(0o700)),
    "pipe": lambda path: replace(path, lambda at: os.mkfifo(at, 0o600)),
    "empty": lambda path: os.truncate(path, 0),
    "only a header": lambda path: os.truncate(path, HEADER_SIZE),
    "a byte too short": lambda path: os.truncate(path, path.stat().st_size - 1),
    "a page too short": lambda path: os.truncate(path, path.stat().st_size - 4096),
    "a page too long": lambda path: os.truncate(path, path.stat().st_size + 4096),
    "readable by the group": lambda path: path.chmod(0o640),
    "writable by others": lambda path: path.chmod(0o602),
    "older version": lambda path: write_start(path, MAGIC, VERSION - 1),
    "future version": lambda path: write_start(path, MAGIC, VERSION + 1),
    "another kind of file": lambda path: write_start(path, b"RUATTNXX", VERSION),
    "end overwritten": lambda path: flip(path, path.stat().st_size - 1),
    **{
        f"header flipped at {at}": lambda path, at=at: flip(path, at)
        for at in (0, 7, 8, 12, 16, 47, 48, 56, 60, 100, HEADER_SIZE - 1)
    },
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("writable", [False, True])
def test_what_is_not_a_whole_file_of_ours_is_none(path: Path, spoilt: str, writable: bool) -> None:
    assert MatrixFile.open(NAME, IDENTITY, writable) is not None
    SPOILT[spoilt](path)
    assert MatrixFile.open(NAME, None, writable) is None


def test_the_header_is_what_tests_take_it_for(path: Path) -> None:
    write_start(path, MAGIC, VERSION)
    assert MatrixFile.open(NAME, IDENTITY) is not None


def test_a_file_of_another_identity_is_none(path: Path) -> None:
    assert MatrixFile.open(NAME, OTHER_IDENTITY) is None


def test_a_file_of_another_account_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert MatrixFile.open(NAME, IDENTITY) is None


def test_a_failure_that_says_nothing_of_the_file_is_raised(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="too many"):
        MatrixFile.open(NAME, IDENTITY)


@pytest.mark.parametrize(
    "name", ["", "x", "../../base/secret", NAME.upper(), NAME + "0", NAME + "\n", "g" * 16]
)
def test_a_name_is_16_hexadecimal_digits(create: Create, data: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name of 16"):
        MatrixFile.open(name, None)
    with pytest.raises(ValueError, match="no name of 16"):
        create(name)


@pytest.mark.parametrize("change", ["missing", "symbolic link", "a byte too short", "a page too long"])
def test_a_file_that_its_name_no_longer_leads_to_is_not_current(path: Path, change: str) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert file.is_current()
    SPOILT[change](path)
    assert not file.is_current()
