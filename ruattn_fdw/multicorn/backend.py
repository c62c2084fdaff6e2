"""What the handlers need of the server process that they run in, read out of its memory.

Multicorn2 offers Python no SQL, no role and no way to be cancelled that leaves the interpreter whole.
Nothing here can end in a PostgreSQL error, which would jump over Python's frames.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ruattn_fdw.errors import AttentionError

CANCELED = "57014"
SHUTDOWN = "57P01"
REPEATABLE_READ = 2

# keeps the interpreter's lock: no other thread of Python runs beside the server's code
_SERVER = ctypes.PyDLL(None)
_SERVER.GetUserId.restype = ctypes.c_uint32
_SERVER.superuser.restype = ctypes.c_bool
_SERVER.get_database_name.restype = ctypes.c_char_p
_SERVER.get_database_name.argtypes = [ctypes.c_uint32]
_SERVER.GetUserNameFromId.restype = ctypes.c_char_p
_SERVER.GetUserNameFromId.argtypes = [ctypes.c_uint32, ctypes.c_bool]

_SERVER.GetConfigOption.restype = ctypes.c_char_p
_SERVER.GetConfigOption.argtypes = [ctypes.c_char_p, ctypes.c_bool, ctypes.c_bool]

_CANCEL = ctypes.c_int.in_dll(_SERVER, "QueryCancelPending")
_DIE = ctypes.c_int.in_dll(_SERVER, "ProcDiePending")
_HOLDOFF = ctypes.c_uint32.in_dll(_SERVER, "InterruptHoldoffCount")
_ISOLATION = ctypes.c_int.in_dll(_SERVER, "XactIsoLevel")
_LOCK_TIMEOUT = ctypes.c_int.in_dll(_SERVER, "LockTimeout")
_DATABASE = ctypes.c_uint32.in_dll(_SERVER, "MyDatabaseId")
_LIBRARIES = (ctypes.c_char * 1024).in_dll(_SERVER, "pkglib_path")
_SEARCH_PATH = ctypes.c_char_p.in_dll(_SERVER, "namespace_search_path")


class Address(NamedTuple):
    """Where this server listens: a folder of sockets or a host, and the port."""

    host: str
    port: str


def interrupted() -> bool:
    """Whether `check_interrupts` would raise."""
    return bool(_DIE.value or _CANCEL.value)


def check_interrupts() -> None:
    """Raise if a cancel, a timeout or the end of the session is pending."""
    if _DIE.value:
        raise AttentionError("terminating connection due to administrator command", sqlstate=SHUTDOWN)
    if _CANCEL.value:
        raise AttentionError("canceling statement due to user request", sqlstate=CANCELED)


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Keep the server from acting on a cancel inside, which it would do by a jump over Python's frames."""
    _HOLDOFF.value += 1
    try:
        yield
    finally:
        _HOLDOFF.value -= 1


def role() -> int:
    """The oid of the role that the query runs as."""
    return int(_SERVER.GetUserId())


def role_name() -> str:
    """Its name."""
    return _text(_SERVER.GetUserNameFromId(role(), True))


def is_superuser() -> bool:
    """Whether it is a superuser."""
    return bool(_SERVER.superuser())


def caller() -> tuple[int, int]:
    """The oids of the database and of the role that the query runs as."""
    return _DATABASE.value, role()


def libraries() -> str:
    """The folder of the server's libraries."""
    return _text(_LIBRARIES.value)


def database() -> str:
    """The name of the session's database."""
    return _text(_SERVER.get_database_name(_DATABASE.value))


def search_path() -> str:
    """The caller's search_path, as he has set it."""
    return _text(_SEARCH_PATH.value)


def lock_timeout() -> int:
    """The caller's lock_timeout in milliseconds, 0 for none."""
    return _LOCK_TIMEOUT.value


def setting(name: str) -> str | None:
    """A setting of the session, None where it has none of that name."""
    value = _SERVER.GetConfigOption(name.encode(), True, False)
    return None if value is None else _text(value)


def keeps_its_snapshot() -> bool:
    """Whether all statements of the transaction see the same rows."""
    return _ISOLATION.value >= REPEATABLE_READ


def address() -> Address:
    """Where this server listens: its first folder of sockets, else its first address."""
    lines = Path("postmaster.pid").read_text(encoding="utf-8").splitlines()
    port, folder, host = lines[3:6]
    return Address(folder or host, port)


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "surrogateescape")
