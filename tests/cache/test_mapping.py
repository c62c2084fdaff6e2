"""Matrix files in backends: shared by all, let go when nothing uses them, errors where there can be none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Backend = Callable[..., Any]
Start = Callable[[], Backend]
ROWS = 20_000
TOTAL = 256.0 * sum(row % 97 for row in range(ROWS))


def test_all_backends_see_one_file(backend: Start, stored_file: Path) -> None:
    builder, reader = backend(), backend()
    assert not reader("open_file")
    builder("build", ROWS)
    assert reader("open_file")
    assert reader("total") == [TOTAL, False]
    assert reader("slot", 0) == ROWS
    builder("slot", 7, -(2**63))
    assert reader("slot", 7) == -(2**63)
    assert reader("verify", ROWS)


def test_who_reads_cannot_write(backend: Start, stored_file: Path) -> None:
    builder, reader, writer = backend(), backend(), backend()
    builder("build", ROWS)
    reader("open_file")
    assert reader("reading_only_refuses") == [
        "assignment destination is read-only",
        "the file is mapped for reading only",
    ]
    writer("open_file", True)
    assert not writer("write", 3.0)
    assert reader("total") == [3.0 * 256 * ROWS, False]
    assert not reader("verify", ROWS)


def test_words_lie_within_the_file(backend: Start, stored_file: Path) -> None:
    process = backend()
    process("build", 10)
    size = stored_file.stat().st_size
    for offset in (-8, 4, size - 4, size, 2**62):
        message = f"no 64-bit word at {offset} of {size} bytes"
        assert process("words", offset) == [message, message]


def test_arrays_outlive_the_file(backend: Start, stored_file: Path) -> None:
    process = backend()
    process("build", ROWS)
    process("open_file")
    assert process("mappings") == 2
    assert process("close_all", True) == 1
    assert process("kept_array") == [5, 6, 7, 8]
    assert process("close_all") == 0


def test_too_many_mappings_are_an_error_of_the_system_s_kind(backend: Start, stored_file: Path) -> None:
    process = backend()
    process("build", 10)
    assert process("open_until_refused") == [63, "Too many open files"]
    assert process("close_all") == 0
    assert process("open_until_refused") == [64, "Too many open files"]


def test_nothing_is_left_behind_by_many_openings(backend: Start, stored_file: Path) -> None:
    process = backend()
    process("build", 10)
    fds, pages = process("open_and_close", 3000)
    assert fds == 0
    assert pages < 50


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system_s_kind(
    backend: Start, stored_file: Path
) -> None:
    process = backend()
    process("build", 10)
    stored_file.parent.chmod(0o500)
    try:
        assert process("build_error", 10) == "Permission denied"
        assert process("open_file")
    finally:
        stored_file.parent.chmod(0o700)


def test_a_folder_that_cannot_be_read_has_no_files(backend: Start, stored_file: Path) -> None:
    process = backend()
    process("build", 10)
    stored_file.parent.chmod(0)
    try:
        assert not process("open_file")
        assert process("build_error", 10) == "Permission denied"
    finally:
        stored_file.parent.chmod(0o700)


def test_a_cancel_while_checksums_are_compared(
    backend: Start, stored_file: Path, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    process = backend()
    process("build", 8 * ROWS)
    pid = process("backend")
    cancelled: list[float] = []

    def cancel() -> None:
        time.sleep(0.5)
        cancelled.append(time.monotonic())
        connect().execute("SELECT pg_cancel_backend(%s)", [pid])

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        process("verify_for", 60)
    ended = time.monotonic()
    thread.join()
    # 0.1 s and a connection
    assert ended - cancelled[0] < 1
    assert process("verify", 8 * ROWS)


def test_of_many_builders_one_wins(backend: Start, stored_file: Path) -> None:
    builders = [backend() for _ in range(4)]
    current: list[bool] = []
    threads = [
        threading.Thread(target=lambda b=builder, n=number: current.append(b("build_when_told", ROWS, n)))
        for number, builder in enumerate(builders, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [builder("status") for builder in builders]
    assert states.count([True, False]) == 1
    winner = states.index([True, False]) + 1
    reader = backend()
    assert reader("open_file")
    assert reader("verify", ROWS)
    assert reader("total") == [winner * 256.0 * ROWS, False]
    assert list(stored_file.parent.glob(f"{stored_file.name}*")) == [stored_file]


def test_a_killed_builder_leaves_nothing_that_can_be_opened(backend: Start, stored_file: Path) -> None:
    builder = backend()
    builder("build", ROWS, False)
    assert not backend()("open_file")
    (left,) = stored_file.parent.glob(f"{stored_file.name}*")
    assert left.name.startswith("pgsql_tmp_ruattn_")
    assert f".{builder('backend')}." in left.name
    builder("close_all")
    assert not left.exists()


def test_checksums_are_those_of_crc_32c(backend: Start) -> None:
    process = backend()
    # the check value that catalogues of checksums give
    assert process("crc32c", "123456789") == process("crc32c", "1234", "", "56789") == 0xE3069283
    assert process("crc32c") == 0


def test_checksums_are_fast(backend: Start, stored_file: Path) -> None:
    process = backend()
    rows = 120_000
    process("build", rows)
    # 123 MB take 10 ms to 30 ms
    assert process("verify_speed", rows) < 0.5
