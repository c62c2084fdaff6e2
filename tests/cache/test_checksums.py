"""Checksums find what has changed in the rows that they cover."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ruattn_fdw.cache.file_format import HEADER_SIZE, SLOTS, Section
from ruattn_fdw.cache.matrix_file import MatrixFile
from tests.cache.damage import flip

Create = Callable[..., MatrixFile]
NAME = "0123456789abcdef"
IDENTITY = bytes(range(32))
ROWS = 2500


def flip_in(path: Path, section: str, offset: int) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    flip(path, file._layout.offsets[list(file.arrays).index(section)] + offset)


@pytest.mark.parametrize(("section", "offset"), [("keys", 0), ("keys", 1500 * 28), ("ids", ROWS * 8 - 1)])
def test_a_flipped_bit_is_found(path: Path, section: str, offset: int) -> None:
    flip_in(path, section, offset)
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert not file.verify(ROWS)


@pytest.mark.parametrize("offset", [0, 4])
def test_a_flipped_bit_of_a_checksum_is_found(path: Path, offset: int) -> None:
    flip(path, HEADER_SIZE + SLOTS * 8 + offset)
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert not file.verify(ROWS)


def test_chunks_beyond_those_asked_for_are_not_read(path: Path) -> None:
    flip_in(path, "ids", 1024 * 8)
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert file.verify(1024)
    assert not file.verify(1025)


def test_mutable_sections_are_not_covered(path: Path) -> None:
    flip_in(path, "seen", 0)
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert file.verify(ROWS)


def test_rows_come_one_after_the_other(create: Create, data: Path) -> None:
    file = create(rows=1000)
    assert file.verify(1000)
    assert not file.verify(1001)
    for last in (1001, 1024, 1025, 2200):
        file.arrays["keys"][:last] += 1
        file.add_checksums(0, last)
        assert file.verify(last)
    file.arrays["keys"][2200:] = 5
    file.add_checksums(2200, ROWS)
    assert file.verify(2200)
    assert file.verify(ROWS)


def test_there_are_no_rows_beyond_those_of_the_sections(data: Path) -> None:
    file = MatrixFile.create(NAME, IDENTITY, [Section("keys", "f4", (1024, 2))])
    file.add_checksums(0, 1024)
    assert file.verify(1024)
    assert not file.verify(1025)
    with pytest.raises(ValueError, match="no rows 1000 to 1025 of 1024"):
        file.add_checksums(1000, 1025)


def test_a_cancel_while_checksums_are_made(
    create: Create, data: Path, host: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = create()
    monkeypatch.setattr(host, "cancelled_after", 2)
    with pytest.raises(InterruptedError):
        file.add_checksums(0, ROWS)


def test_a_cancel_while_checksums_are_compared(
    path: Path, host: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    monkeypatch.setattr(host, "cancelled_after", 2)
    with pytest.raises(InterruptedError):
        file.verify(ROWS)
