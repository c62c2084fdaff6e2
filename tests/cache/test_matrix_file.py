"""A matrix file holds what was put into it, for all who have it open, as long as they use it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ruattn_fdw.cache.file_format import SLOTS, Section
from ruattn_fdw.cache.matrix_file import MatrixFile

Create = Callable[..., MatrixFile]
NAME, OTHER_NAME = "0123456789abcdef", "fedcba9876543210"
IDENTITY, OTHER_IDENTITY = bytes(range(32)), bytes(32)
ROWS = 2500


def test_what_was_published_can_be_opened(create: Create, data: Path) -> None:
    written = create()
    written.store(0, ROWS)
    written.store(SLOTS - 1, -1)
    written.publish()
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert (file.name, file.identity, file.size) == (NAME, IDENTITY, written.size)
    assert (file.load(0), file.load(1), file.load(SLOTS - 1)) == (ROWS, 0, -1)
    assert list(file.arrays) == ["keys", "ids", "seen"]
    for name, array in written.arrays.items():
        assert (file.arrays[name].dtype, file.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(file.arrays[name], array)
        assert file.arrays[name].ctypes.data % 4096 == 0
        assert not file.arrays[name].flags.writeable
    assert file.verify(ROWS)


def test_writing_reaches_who_has_the_file_open(path: Path) -> None:
    reader, writer = MatrixFile.open(NAME, None), MatrixFile.open(NAME, IDENTITY, writable=True)
    assert reader is not None
    assert writer is not None
    writer.arrays["seen"][3] = 9
    writer.store(5, 77)
    assert reader.arrays["seen"][3] == 9
    assert reader.load(5) == 77


@pytest.mark.parametrize("shape", [(0, 3), (1,), (1024, 2), (1025, 2, 3)])
def test_any_shape_is_kept(data: Path, shape: tuple[int, ...]) -> None:
    file = MatrixFile.create(NAME, IDENTITY, [Section("a", "f2", shape), Section("b", "i1", shape)])
    file.add_checksums(0, shape[0])
    file.publish()
    again = MatrixFile.open(NAME, IDENTITY)
    assert again is not None
    assert [array.shape for array in again.arrays.values()] == [shape, shape]
    assert again.verify(shape[0])


def test_two_names_are_two_files(create: Create, path: Path) -> None:
    create(OTHER_NAME, OTHER_IDENTITY).publish()
    first, second = MatrixFile.open(NAME, None), MatrixFile.open(OTHER_NAME, None)
    assert first is not None
    assert second is not None
    assert (first.identity, second.identity) == (IDENTITY, OTHER_IDENTITY)


def test_a_slot_that_is_none(path: Path) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    for slot in (-1, SLOTS):
        with pytest.raises(ValueError, match=f"no slot {slot} of {SLOTS}"):
            file.load(slot)


def test_a_closed_file_gives_nothing(path: Path) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    file.close()
    file.close()
    assert file.arrays == {}
    with pytest.raises(ValueError, match="closed"):
        file.load(0)


def test_use_counts_at_most_once_a_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    touched = []
    for clock[0] in (1000.0, 1000.9, 1001.1):
        os.utime(path, (1, 1))
        file.touch()
        touched.append(path.stat().st_mtime > 1)
    assert touched == [True, False, True]


def test_using_a_file_that_has_gone_does_no_harm(path: Path) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    path.unlink()
    file.touch()
    assert not path.exists()
    assert file.verify(ROWS)


def test_a_link_in_the_place_of_the_file_is_not_followed_when_it_is_used(path: Path, tmp_path: Path) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    other = tmp_path / "other"
    other.touch()
    os.utime(other, (1, 1))
    path.unlink()
    path.symlink_to(other)
    file.touch()
    assert other.stat().st_mtime == 1


def test_lost_pages_are_damage_where_the_end_is_still_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = MatrixFile.open(NAME, IDENTITY)
    assert file is not None
    assert not file.damaged
    monkeypatch.setattr(type(file._mapping), "damaged", True)
    assert file.damaged
    assert not file.verify(ROWS)


def test_no_file_stays_open(create: Create, path: Path) -> None:
    def use() -> None:
        create(OTHER_NAME).publish()
        for name, identity in ((NAME, IDENTITY), (NAME, OTHER_IDENTITY), ("0" * 16, None)):
            file = MatrixFile.open(name, identity)
            del file

    use()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        use()
    assert len(os.listdir("/proc/self/fd")) == before
