"""What the diagnosis finds wrong with the folder of copies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from ruattn_fdw import usage
from ruattn_fdw.cache import folder
from ruattn_fdw.diagnosis import Finding, copies


def found() -> dict[str, Finding]:
    return {finding.item: finding for finding in copies.files()}


@pytest.fixture(autouse=True)
def setting(data: Path, host: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruattn_fdw.host_api.integer_setting", {"cache_size": 2**30}.__getitem__)
    monkeypatch.setattr(usage, "USAGE", usage.Usage())
    os.mkdir(data, 0o700)


def plant(data: Path, size: int = 0, mode: int = 0o600) -> None:
    """A file by the name of a copy."""
    path = data.parent.parent / folder.path_of("0" * 16)
    path.touch(mode)
    os.truncate(path, size)


def test_a_folder_as_it_should_be(data: Path) -> None:
    plant(data, 3 * 2**20)
    assert [item for item, finding in found().items() if not finding.ok] == []
    assert found()["copies_size"].value.startswith("3 of 1024 MB in 1 files, ")


def test_no_copies_while_files_outlive_a_crash() -> None:
    finding = copies.kept(removed_after_crash=False)
    assert (finding.ok, finding.value) == (False, "not kept: remove_temp_files_after_crash is off")


def test_files_that_others_can_read(data: Path) -> None:
    plant(data, mode=0o644)
    assert found()["copies_folder"].value == "1 files in base/pgsql_tmp are not the server's own"


def test_a_folder_that_others_can_write_to(data: Path) -> None:
    data.chmod(0o777)
    assert found()["copies_folder"].value == "anybody can write to base/pgsql_tmp"


def test_a_disk_with_less_room_than_copies_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**29))
    finding = found()["copies_size"]
    assert (finding.ok, finding.value) == (False, "0 of 1024 MB in 0 files, 512 MB are free")


def test_a_copy_larger_than_memory(data: Path) -> None:
    plant(data, 2**43)
    assert not found()["largest_copy"].ok


def test_statistics_that_cannot_be_kept(data: Path) -> None:
    os.mkdir(usage.PATH)
    assert not found()["statistics"].ok
