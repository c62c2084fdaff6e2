"""A file that shrinks under its readers costs them their result, never the server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Backend = Callable[..., Any]
Start = Callable[[], Backend]
ROWS = 20_000
TOTAL = 256.0 * sum(row % 97 for row in range(ROWS))


def cut(path: Path, odd: int = 0) -> None:
    """Truncate to about half, not to a page boundary with `odd` bytes more."""
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096 + odd)


@pytest.mark.parametrize("odd", [0, 100])
def test_a_truncated_file_reads_as_zeros_and_is_damaged(backend: Start, stored_file: Path, odd: int) -> None:
    builder, reader = backend(), backend()
    builder("build", ROWS)
    reader("open_file")
    cut(stored_file, odd)
    total, damaged = reader("total")
    assert 0 < total < TOTAL
    assert damaged
    assert reader("status") == [False, True]
    assert not reader("verify", ROWS)
    # a writer loses what it writes, and learns of it
    assert builder("write", 1.0)


def test_a_file_cut_within_its_last_page_is_damaged(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", ROWS)
    os.truncate(stored_file, stored_file.stat().st_size - 1)
    assert reader("total") == [TOTAL, True]


def test_a_file_cut_and_stretched_again_is_damaged(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", ROWS)
    size = stored_file.stat().st_size
    cut(stored_file)
    os.truncate(stored_file, size)
    total, damaged = reader("total")
    assert total < TOTAL
    assert damaged


def test_damage_is_seen_after_the_name_has_gone(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", ROWS)
    kept = os.open(stored_file, os.O_RDWR)
    stored_file.unlink()
    assert reader("total") == [TOTAL, False]
    assert reader("status") == [False, False]
    os.truncate(kept, 100_001)
    os.close(kept)
    assert reader("total")[1]


def test_a_file_truncated_while_blas_reads_it_in_two_threads(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", ROWS)
    timer = threading.Timer(0.5, cut, [stored_file])
    timer.start()
    products, damaged = reader("multiply_until_damaged", 30)
    timer.join()
    assert products > 1
    assert damaged


def test_a_fault_in_another_thread(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", ROWS)
    os.truncate(stored_file, 0)
    assert reader("total_in_thread") == [0, True]


def test_a_large_damaged_file_is_not_slow(backend: Start, stored_file: Path) -> None:
    reader = backend()
    reader("build", 8 * ROWS)
    os.truncate(stored_file, 0)
    # 40,000 faults would take a hundred times as long, and more mappings than a process may have
    assert reader("damaged_reads", 40_000) < 1
    assert reader("mappings") <= 1


def test_a_forked_process_has_its_own_damage(backend: Start, stored_file: Path) -> None:
    parent = backend()
    parent("build", ROWS)
    assert parent("in_fork", stored_file.stat().st_size // 2) == [0, 0, True]
    assert parent("total")[1]


def test_lost_pages_are_zeros_to_the_end_and_the_rest_is_kept(backend: Start) -> None:
    process = backend()
    for _ in range(2):
        assert process("lost_pages", 4) == [False, True, [1, 0, 0, 0]]


@pytest.mark.parametrize("fault", ["sent", "sent with an address of the file", "elsewhere"])
def test_another_bus_error_ends_the_process_as_ever(backend: Start, stored_file: Path, fault: str) -> None:
    process = backend()
    process("build", 10)
    assert process("signal_of", fault) == signal.SIGBUS
