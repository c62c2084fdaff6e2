"""The folder of the matrix files of one server: their names, their sizes, what goes when room is needed.

A backend's working directory is the server's data directory. PostgreSQL empties this folder of all that
starts with `pgsql_tmp` when it starts, and base backups leave it out.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from typing import NamedTuple

FOLDER = "base/pgsql_tmp"
PREFIX = "pgsql_tmp_ruattn_"
_NAME = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(rf"{PREFIX}([0-9a-f]{{16}})(?:\.(\d+)\.[0-9a-f]{{8}})?")


class StoredFile(NamedTuple):
    """A published file: its name, its size in bytes, and when it was last used, in seconds of the epoch."""

    name: str
    size: int
    used: float


class _Entry(NamedTuple):
    path: str
    name: str
    builder: int | None
    size: int
    used: float


def path_of(name: str) -> str:
    """Where the file of a name of 16 hexadecimal digits lies."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of 16 hexadecimal digits")
    return f"{FOLDER}/{PREFIX}{name}"


def temporary_path_of(name: str) -> str:
    """A path for this process to build such a file at."""
    return f"{path_of(name)}.{os.getpid()}.{secrets.token_hex(4)}"


def is_ours(status: os.stat_result) -> bool:
    """Whether a file is one that nobody else can have written or can read."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_nlink == 1
        and status.st_uid == os.geteuid()
        and status.st_mode & 0o077 == 0
    )


def make_folder() -> None:
    """Create the folder where PostgreSQL has had no need of it yet."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(FOLDER, 0o700)


def stored() -> list[StoredFile]:
    """All published files."""
    return [StoredFile(entry.name, entry.size, entry.used) for entry in _entries() if entry.builder is None]


def evict(needed: int, limit: int, keep: str) -> bool:
    """Remove the least recently used files until `needed` bytes more fit into `limit`.

    False, with nothing removed, where they never will: what other backends build just now stays. The file
    `keep` stays too and does not count: the new one is to take its place. Removed files take up space
    until nobody has them mapped. Files of builders that died are removed in any case.
    """
    entries = list(_without_orphans())
    free = limit - needed - sum(entry.size for entry in entries if entry.builder is not None)
    if free < 0:
        return False
    files = [entry for entry in entries if entry.builder is None and entry.name != keep]
    excess = sum(entry.size for entry in files) - free
    for entry in sorted(files, key=lambda entry: entry.used):
        if excess <= 0:
            break
        _remove(entry.path)
        excess -= entry.size
    return True


def _without_orphans() -> Iterator[_Entry]:
    for entry in _entries():
        if entry.builder is None or _is_alive(entry.builder):
            yield entry
        else:
            _remove(entry.path)


def _entries() -> Iterator[_Entry]:
    with contextlib.suppress(FileNotFoundError), os.scandir(FOLDER) as listing:
        for found in listing:
            named = _FILE.fullmatch(found.name)
            if named is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = found.stat(follow_symlinks=False)
                builder = None if named[2] is None else int(named[2])
                yield _Entry(found.path, named[1], builder, status.st_size, status.st_mtime)


def _is_alive(pid: int) -> bool:
    # a process of another account has taken over the number: the server's processes share one
    with contextlib.suppress(ProcessLookupError, PermissionError, OverflowError):
        os.kill(pid, 0)
        return True
    return False


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
