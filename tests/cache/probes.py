"""What tests let a backend do with matrix files: a foreign table that calls the functions of this module."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import resource
import signal
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.cache.file_format import Section
from ruattn_fdw.cache.matrix_file import MatrixFile
from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.threads import THREADS

PROBE = Table(
    name="probe",
    help="Calls a function of the tests.",
    results=(Result("answer", "text", "what it returned, as JSON"),),
    parameters=(Parameter("call", "text", "name and arguments as JSON", required=True),),
    example="""SELECT answer FROM probe WHERE call = '["backend"]'""",
)
NAME = "00112233445566ff"
IDENTITY = bytes(range(32))
DIMENSIONS = 256
# what this backend has open
FILES: list[MatrixFile] = []
ARRAYS: list[np.ndarray[Any, Any]] = []


class Probe(AttentionTable):
    """One row with the answer."""

    declaration = PROBE

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Call the function."""
        function, *values = json.loads(arguments["call"])
        return iter([Batch(1, {"answer": [json.dumps(FUNCTIONS[function](*values))]})])


def build(rows: int, publish: bool = True) -> None:
    """Create the file, row i full of i % 97, slot 0 the number of rows."""
    file = MatrixFile.create(NAME, IDENTITY, [Section("keys", "f4", (rows, DIMENSIONS))])
    file.arrays["keys"][:] = np.arange(rows, dtype=np.float32)[:, None] % 97
    file.add_checksums(0, rows)
    file.store(0, rows)
    FILES.append(file)
    if publish:
        file.publish()


def open_file(writable: bool = False) -> bool:
    """Open the file; whether there is one."""
    file = MatrixFile.open(NAME, IDENTITY, writable)
    if file is not None:
        FILES.append(file)
    return file is not None


def total() -> tuple[float, bool]:
    """The sum of all that the last file holds, and whether it is damaged."""
    keys = FILES[-1].arrays["keys"]
    return float(keys.sum(dtype=np.float64)), FILES[-1].damaged


def write(value: float) -> bool:
    """Write to every row; whether the file is damaged afterwards."""
    FILES[-1].arrays["keys"][:] = value
    return FILES[-1].damaged


def verify(rows: int) -> bool:
    """The file's own opinion."""
    return FILES[-1].verify(rows)


def verify_speed(rows: int) -> float:
    """The best of three, in seconds."""
    return min(_seconds(lambda: FILES[-1].verify(rows)) for _ in range(3))


def slot(number: int, value: int | None = None) -> int:
    """Read a slot, after it was set where a value is given."""
    if value is not None:
        FILES[-1].store(number, value)
    return FILES[-1].load(number)


def reading_only_refuses() -> tuple[str, str]:
    """What writing through an array and through a slot fail with."""
    return _failure(lambda: write(1)), _failure(lambda: FILES[-1].store(0, 1))


def close_all(keep_array: bool = False) -> int:
    """Close all files; the number of mappings of them that this process still has."""
    ARRAYS[:] = [FILES[-1].arrays["keys"][5:9, 3]] if keep_array else []
    for file in FILES:
        file.close()
    FILES.clear()
    return mappings()


def kept_array() -> list[float]:
    """What the array kept by close_all holds."""
    return [float(item) for item in ARRAYS[0]]


def mappings() -> int:
    """How many files this process has mapped."""
    with open("/proc/self/maps") as maps:
        return sum("pgsql_tmp_ruattn" in line for line in maps)


def open_until_refused() -> tuple[int, str]:
    """How many mappings there can be, and why no more."""
    before = len(FILES)
    try:
        while len(FILES) < 1000:
            open_file()
    except OSError as error:
        return len(FILES) - before, os.strerror(error.errno or 0)
    return len(FILES) - before, ""


def multiply_until_damaged(seconds: float) -> tuple[int, bool]:
    """Products by BLAS with two threads until the file is damaged: how many, and whether it is."""
    THREADS.use(2)
    keys = FILES[-1].arrays["keys"]
    start, products = time.monotonic(), 0
    while not FILES[-1].damaged and time.monotonic() - start < seconds:
        host_api.check_interrupts()
        _ = keys @ keys[:64].T
        products += 1
    THREADS.use(1)
    return products, FILES[-1].damaged


def total_in_thread() -> tuple[float, bool]:
    """The sum, taken in a thread that has the signals blocked which BLAS's threads have."""
    answer: list[tuple[float, bool]] = []
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {signal.SIGBUS})
    thread = threading.Thread(target=lambda: answer.append(total()))
    thread.start()
    thread.join()
    signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    return answer[0]


def in_fork(size: int) -> tuple[int, int, bool]:
    """Cut the file in a child that inherited the mapping: the child's exit status, its signal, our damage.

    The child exits with 0 where it saw zeros, knew of the damage, and could not see it before.
    """

    def child() -> int:
        before = FILES[-1].damaged
        os.truncate(FILES[-1]._path, size)
        return int(before or not total()[1])

    status = _fork(child)
    return os.WEXITSTATUS(status), os.WTERMSIG(status), FILES[-1].damaged


def signal_of(fault: str) -> int:
    """The signal that ends a child with a bus error that is none of a matrix file's."""

    def child() -> int:
        if fault == "sent":
            os.kill(os.getpid(), signal.SIGBUS)
        elif fault == "sent with an address of the file":
            _send_bus_error(FILES[-1].arrays["keys"].ctypes.data)
        else:
            with tempfile.TemporaryFile() as file:
                file.truncate(mmap.PAGESIZE)
                other = mmap.mmap(file.fileno(), mmap.PAGESIZE)
                file.truncate(0)
                return other[0]
        return 1

    return os.WTERMSIG(_fork(child))


def damaged_reads(count: int) -> float:
    """Seconds to read one value of each page of the file in random order."""
    flat = FILES[-1].arrays["keys"].reshape(-1)
    places = np.random.default_rng(1).permutation(len(flat) // 1024)[:count] * 1024
    return _seconds(lambda: np.take(flat, places))


def lost_pages(pages: int) -> tuple[bool, bool, list[int]]:
    """Damage of a bare mapping before and after its file is cut to one page, and a byte of each page then."""
    with tempfile.TemporaryFile() as file:
        file.write(b"\1" * pages * mmap.PAGESIZE)
        file.flush()
        mapping: Any = host_api.map_file(file.fileno(), pages * mmap.PAGESIZE, True)
        file.truncate(mmap.PAGESIZE)
        before = mapping.damaged
        found = memoryview(mapping)[:: mmap.PAGESIZE].tolist()
        return before, mapping.damaged, found


def words(offset: int) -> tuple[str, str]:
    """What loading and storing at that offset of the last file fail with."""
    mapping: Any = FILES[-1]._mapping
    return _failure(lambda: mapping.load(offset)), _failure(lambda: mapping.store(offset, 1))


def build_error(rows: int) -> str:
    """What building fails with."""
    try:
        build(rows)
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""


def verify_for(seconds: float) -> int:
    """Verify again and again."""
    start, rounds = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        FILES[-1].verify(FILES[-1].load(0))
        rounds += 1
    return rounds


def open_and_close(rounds: int) -> tuple[int, int]:
    """How many file descriptors and pages of memory a number of openings cost."""

    def use(times: int) -> tuple[int, int]:
        for _ in range(times):
            file = MatrixFile.open(NAME, IDENTITY)
            assert file is not None
            file.verify(10)
            file.close()
        with open("/proc/self/statm") as memory:
            return len(os.listdir("/proc/self/fd")), int(memory.read().split()[1])

    fds, pages = use(200)
    fds_after, pages_after = use(rounds)
    return fds_after - fds, pages_after - pages


def build_when_told(rows: int, value: int) -> bool:
    """Build at the same moment as others, each with a value of its own; whether ours is the current one."""
    file = MatrixFile.create(NAME, IDENTITY, [Section("keys", "f4", (rows, DIMENSIONS))])
    file.arrays["keys"][:] = value
    file.add_checksums(0, rows)
    file.publish()
    FILES.append(file)
    return file.is_current()


def status() -> tuple[bool, bool]:
    """Whether the last file is current, and whether it is damaged."""
    return FILES[-1].is_current(), FILES[-1].damaged


def backend() -> int:
    """The process."""
    return os.getpid()


def _send_bus_error(address: int) -> None:
    """Queue SIGBUS with -1 for its code and this address where a fault has its own."""
    information = ctypes.create_string_buffer(struct.pack("@iiiiQ", signal.SIGBUS, 0, -1, 0, address), 128)
    number = {"x86_64": 129, "aarch64": 138}[platform.machine()]
    if ctypes.CDLL(None, use_errno=True).syscall(number, os.getpid(), int(signal.SIGBUS), information):
        raise OSError(ctypes.get_errno(), "rt_sigqueueinfo")


def crc32c(*texts: str) -> int:
    """The server's checksum of ASCII texts."""
    return host_api.crc32c(*(text.encode() for text in texts))


def _fork(child: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        result = 3
        try:
            result = child()
        finally:
            os._exit(result)
    return os.waitpid(pid, 0)[1]


def _failure(action: Callable[[], object]) -> str:
    try:
        action()
    except ValueError as error:
        return str(error)
    return ""


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


FUNCTIONS: dict[str, Callable[..., object]] = {
    function.__name__: function
    for function in (
        build, open_file, total, write, verify, verify_speed, slot, reading_only_refuses, close_all,
        kept_array, mappings, open_until_refused, multiply_until_damaged, total_in_thread, in_fork,
        signal_of, damaged_reads, lost_pages, words, crc32c, build_error, verify_for, open_and_close,
        build_when_told, status, backend,
    )
}  # fmt: skip
