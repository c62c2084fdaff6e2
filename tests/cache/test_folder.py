"""Which matrix files a server has, and which go when room is needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ruattn_fdw.cache import folder
from ruattn_fdw.cache.folder import evict, stored

OLD, MIDDLE, NEW = "0" * 15 + "1", "0" * 15 + "2", "0" * 15 + "3"
SIZE = 1000


def store(data: Path, name: str, used: int = 0, builder: int | None = None) -> Path:
    """A file of SIZE bytes, published, or in the making by a process."""
    data.mkdir(exist_ok=True)
    path = data / f"pgsql_tmp_ruattn_{name}{'' if builder is None else f'.{builder}.0a1b2c3d'}"
    path.write_bytes(bytes(SIZE))
    os.utime(path, (used, used))
    return path


@pytest.fixture
def three(data: Path) -> Path:
    """Three files, whose names are not in the order of their use."""
    store(data, MIDDLE, used=200)
    store(data, NEW, used=300)
    store(data, OLD, used=100)
    return data


def names() -> list[str]:
    return sorted(file.name for file in stored())


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_there_is_none_without_a_folder(data: Path) -> None:
    assert stored() == []
    assert evict(1, 1, OLD)


def test_the_published_files_are_stored(three: Path) -> None:
    store(three, OLD, builder=os.getpid())
    (three / "pgsql_tmp1234.0").write_text("a sort of PostgreSQL's own")
    (three / "pgsql_tmp_ruattn_notes").write_text("not a name of ours")
    assert sorted(stored()) == [(OLD, SIZE, 100), (MIDDLE, SIZE, 200), (NEW, SIZE, 300)]


@pytest.mark.parametrize(
    ("needed", "limit", "left"),
    [
        (SIZE, 4 * SIZE, [OLD, MIDDLE, NEW]),
        (SIZE, 4 * SIZE - 1, [MIDDLE, NEW]),
        (SIZE, 3 * SIZE, [MIDDLE, NEW]),
        (SIZE + 1, 3 * SIZE, [NEW]),
        (SIZE, SIZE, []),
        (0, SIZE, [NEW]),
    ],
)
def test_the_least_recently_used_go_first(three: Path, needed: int, limit: int, left: list[str]) -> None:
    assert evict(needed, limit, "f" * 16)
    assert names() == left


def test_what_is_used_again_stays(three: Path) -> None:
    os.utime(three / f"pgsql_tmp_ruattn_{OLD}", (400, 400))
    assert evict(SIZE, 3 * SIZE, "f" * 16)
    assert names() == [OLD, NEW]


def test_what_never_fits_costs_nobody_a_file(three: Path) -> None:
    assert not evict(4 * SIZE + 1, 4 * SIZE, OLD)
    assert names() == [OLD, MIDDLE, NEW]


def test_the_file_to_be_replaced_stays_and_does_not_count(three: Path) -> None:
    assert evict(SIZE, 2 * SIZE, OLD)
    assert names() == [OLD, NEW]


def test_what_others_build_counts_and_stays(three: Path) -> None:
    building = store(three, "a" * 16, builder=os.getpid())
    assert evict(SIZE, 4 * SIZE, "f" * 16)
    assert names() == [MIDDLE, NEW]
    assert not evict(SIZE, 2 * SIZE - 1, "f" * 16)
    assert names() == [MIDDLE, NEW]
    assert building.exists()


@pytest.mark.parametrize("pid", [dead_process(), 2**40], ids=["ended", "impossible"])
def test_files_of_dead_builders_go_in_any_case(three: Path, pid: int) -> None:
    left = store(three, OLD, builder=pid)
    assert evict(SIZE, 4 * SIZE, "f" * 16)
    assert not left.exists()
    assert names() == [OLD, MIDDLE, NEW]


def test_a_process_of_another_account_is_no_builder(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, number: int) -> None:
        raise PermissionError

    left = store(three, OLD, builder=os.getpid())
    monkeypatch.setattr(os, "kill", kill)
    assert evict(SIZE, 4 * SIZE, "f" * 16)
    assert not left.exists()


def test_files_of_others_are_never_touched(three: Path) -> None:
    others = [
        three / "pgsql_tmp1234.0",
        three / "pgsql_tmp_ruattn_notes",
        three / f"pgsql_tmp_ruattn_{OLD}.bak",
    ]
    for path in others:
        path.write_bytes(bytes(10 * SIZE))
    assert evict(SIZE, SIZE, "f" * 16)
    assert names() == []
    assert all(path.exists() for path in others)


def test_a_link_is_removed_and_not_what_it_leads_to(data: Path, tmp_path: Path) -> None:
    data.mkdir()
    precious = tmp_path / "precious"
    precious.write_bytes(bytes(SIZE))
    (data / f"pgsql_tmp_ruattn_{OLD}").symlink_to(precious)
    assert evict(SIZE, SIZE, "f" * 16)
    assert list(data.iterdir()) == []
    assert precious.exists()


def test_a_link_has_the_size_of_a_link(data: Path, tmp_path: Path) -> None:
    store(data, NEW)
    (tmp_path / "large").write_bytes(bytes(10 * SIZE))
    (data / f"pgsql_tmp_ruattn_{OLD}").symlink_to(tmp_path / "large")
    assert all(file.size <= SIZE for file in stored())


def test_a_file_that_another_backend_removes_meanwhile(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def twice(path: str) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(folder.os, "unlink", twice)
    assert evict(SIZE, 3 * SIZE, "f" * 16)
    assert names() == [MIDDLE, NEW]
