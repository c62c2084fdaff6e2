"""The file that searches are counted in: its places, its lock, and what may be found in its stead."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from ruattn_fdw import usage
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.usage import Usage

ONE = (1, 10, True, 1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def file(data: Path, monkeypatch: pytest.MonkeyPatch) -> Usage:
    """A file of this test, with itself as the backend's."""
    found = Usage()
    monkeypatch.setattr(usage, "USAGE", found)
    return found


def key(relation: int, database: int = 5) -> bytes:
    return usage._key(database, 10, relation, "mha_search", "multi_head")


def calls() -> dict[int, int]:
    """The calls of each relation."""
    return {searches.relation: figures.calls for searches, figures in usage.entries()}


def test_what_is_added_is_found(file: Usage) -> None:
    file.add(key(7), ONE, 100.0)
    file.add(key(7), ONE, 200.0)
    assert list(usage.entries()) == [
        (usage.Searches(5, 10, 7, "mha_search", "multi_head"), (2, 20, 2, 2.0, 4.0, 6.0, 8.0, 200.0))
    ]


def test_the_least_used_go_when_there_is_no_room(file: Usage) -> None:
    for often in 3 * [*range(1, 101)]:
        file.add(key(often), ONE, 1.0)
    for seldom in range(1000, 1000 + 2 * usage.SLOTS):
        file.add(key(seldom), ONE, 1.0)
    found = calls()
    assert len(found) == usage.SLOTS
    assert all(found[often] == 3 for often in range(1, 101))


def test_clearing_a_database_leaves_the_others(file: Usage) -> None:
    for relation in range(1, 300):
        file.add(key(relation, database=5 + relation % 2), ONE, 1.0)
    file.clear(5)
    assert calls() == dict.fromkeys(range(1, 300, 2), 1)
    file.add(key(1, database=6), ONE, 1.0)
    assert calls()[1] == 2


def _add_often(relation: int, times: int) -> None:
    mine = Usage()
    for _ in range(times):
        mine.add(key(relation), ONE, 1.0)


def test_processes_count_together(file: Usage) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_add_often, args=(7, 300)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert calls() == {7: 1200}


def _die_while_counting() -> None:
    mine = Usage()
    mine.add(key(7), ONE, 1.0)
    fcntl.flock(mine._fd, fcntl.LOCK_EX)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_gives_its_lock_back(file: Usage) -> None:
    victim = multiprocessing.get_context("fork").Process(target=_die_while_counting)
    victim.start()
    victim.join()
    file.add(key(7), ONE, 1.0)
    assert calls() == {7: 2}


def test_a_file_that_was_cut_short_is_made_whole(file: Usage) -> None:
    file.add(key(7), ONE, 1.0)
    os.truncate(usage.PATH, 0)
    file._mapping.damaged = True  # type: ignore[union-attr, misc]
    file.add(key(7), ONE, 1.0)
    assert calls() == {7: 1}
    assert os.stat(usage.PATH).st_size == usage.SIZE


@pytest.mark.parametrize("planted", ["link", "readable", "folder"])
def test_what_is_not_the_servers_own_is_left_alone(file: Usage, data: Path, planted: str) -> None:
    data.mkdir()
    if planted == "link":
        (data / "elsewhere").touch()
        os.symlink("elsewhere", usage.PATH)
    elif planted == "readable":
        Path(usage.PATH).touch(0o644)
    else:
        os.mkdir(usage.PATH)
    file.add(key(7), ONE, 1.0)
    with pytest.raises(AttentionError, match="the statistics of searches cannot be kept: ") as caught:
        calls()
    assert (caught.value.sqlstate, bool(caught.value.hint)) == ("58030", True)
    assert not (data / "elsewhere").exists() or (data / "elsewhere").stat().st_size == 0
