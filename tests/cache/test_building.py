"""A file that is being built is nobody else's, and leaves nothing where building fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ruattn_fdw.cache import folder, matrix_file
from ruattn_fdw.cache.file_format import Section
from ruattn_fdw.cache.matrix_file import MatrixFile

Create = Callable[..., MatrixFile]
NAME = "0123456789abcdef"
IDENTITY, OTHER_IDENTITY = bytes(range(32)), bytes(32)
ROWS = 2500


def test_a_file_is_nobody_s_before_it_is_published(create: Create, data: Path) -> None:
    file = create()
    assert MatrixFile.open(NAME, IDENTITY) is None
    assert folder.stored() == []
    assert file.is_current()
    file.publish()
    assert file.is_current()
    assert [path.name for path in data.iterdir()] == [f"pgsql_tmp_ruattn_{NAME}"]
    with pytest.raises(ValueError, match="published already"):
        file.publish()


def test_a_file_never_published_is_removed(create: Create, data: Path) -> None:
    file = create()
    assert len(list(data.iterdir())) == 1
    file.close()
    assert list(data.iterdir()) == []
    dropped = create()
    del dropped
    assert list(data.iterdir()) == []


def test_a_published_file_stays(create: Create, data: Path) -> None:
    file = create()
    file.publish()
    file.close()
    del file
    assert MatrixFile.open(NAME, IDENTITY) is not None


def test_publishing_takes_the_place_of_the_old_file(create: Create, path: Path) -> None:
    old = MatrixFile.open(NAME, IDENTITY)
    assert old is not None
    new = create(identity=OTHER_IDENTITY)
    new.publish()
    assert not old.is_current()
    assert old.verify(ROWS)
    assert new.is_current()
    assert MatrixFile.open(NAME, IDENTITY) is None


def test_publishing_takes_the_place_of_a_link_and_not_of_what_it_leads_to(
    create: Create, data: Path, tmp_path: Path
) -> None:
    data.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("all there is")
    (data / f"pgsql_tmp_ruattn_{NAME}").symlink_to(precious)
    create().publish()
    assert precious.read_text() == "all there is"
    assert MatrixFile.open(NAME, IDENTITY) is not None


def test_building_follows_no_link(
    create: Create, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mkdir()
    monkeypatch.setattr(folder.secrets, "token_hex", lambda _: "00000000")
    (data / f"pgsql_tmp_ruattn_{NAME}.{os.getpid()}.00000000").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        create()
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("mask", [0, 0o777])
def test_nobody_else_may_read_it_whatever_the_umask(create: Create, data: Path, mask: int) -> None:
    data.mkdir()
    previous = os.umask(mask)
    try:
        create().publish()
    finally:
        os.umask(previous)
    assert (data / f"pgsql_tmp_ruattn_{NAME}").stat().st_mode & 0o7777 == 0o600


def test_the_folder_is_made_for_us_alone(path: Path) -> None:
    assert path.parent.stat().st_mode & 0o7777 == 0o700


def test_all_blocks_are_there_from_the_start(data: Path) -> None:
    file = MatrixFile.create(NAME, IDENTITY, [Section("keys", "f4", (10**6, 4))])
    (path,) = data.iterdir()
    assert path.stat().st_size == file.size
    assert path.stat().st_blocks * 512 >= file.size


def test_a_full_disk_is_an_error_that_leaves_nothing(
    create: Create, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocated: list[int] = []

    def allocate(fd: int, offset: int, length: int) -> None:
        allocated.append(offset)
        if len(allocated) == 2:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(matrix_file, "ALLOCATED_AT_ONCE", 8192)
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    with pytest.raises(OSError, match="no space"):
        create()
    assert allocated == [0, 8192]
    assert list(data.iterdir()) == []


def test_a_cancel_while_blocks_are_allocated_leaves_nothing(
    create: Create, data: Path, host: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_file, "ALLOCATED_AT_ONCE", 8192)
    monkeypatch.setattr(host, "cancelled_after", 3)
    with pytest.raises(InterruptedError):
        create()
    assert list(data.iterdir()) == []


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ([Section("a", "f4", (1,)), Section("a", "f4", (1,))], "two sections have one name"),
        ([Section("a", "f4", (1,)), Section("b", "f4", (2,))], "1 and 2 rows"),
        ([Section("a", object, (1,))], "numbers only"),
        ([Section(f"section {i}", "f4", (1,)) for i in range(300)], "300 sections do not fit"),
    ],
)
def test_sections_that_no_file_can_have(data: Path, sections: list[Section], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MatrixFile.create(NAME, IDENTITY, sections)
    assert not data.exists()


def test_an_identity_has_32_bytes(create: Create, data: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        create(identity=b"abc")
    assert not data.exists()


def test_a_file_counts_as_used_when_it_is_published(
    create: Create, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # on some file systems writing to a mapping does so too
    file, used = create(), []
    monkeypatch.setattr(os, "utime", lambda path, **_: used.append(path))
    file.publish()
    assert used == [folder.path_of(NAME)]
