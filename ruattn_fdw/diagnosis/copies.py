"""The folder of the copies of vectors, and of the statistics of searches."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator

from ruattn_fdw import host_api, usage
from ruattn_fdw.cache import folder
from ruattn_fdw.diagnosis import Finding
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.memory import MEBIBYTE


def kept(removed_after_crash: bool) -> Finding:
    """Whether copies are kept at all."""
    if not host_api.is_bundled():
        return Finding("copies", "none: the host is Multicorn2")
    if not removed_after_crash:
        return Finding(
            "copies",
            "not kept: remove_temp_files_after_crash is off",
            ok=False,
            advice="Switch it on: a file must not outlive a crash, so every search reads its whole source.",
        )
    if not host_api.integer_setting("cache_size"):
        return Finding(
            "copies",
            "not kept: ruattn_fdw.cache_size is 0",
            ok=False,
            advice="Raise ruattn_fdw.cache_size: every search reads its whole source.",
        )
    return Finding("copies", "kept")


def files() -> Iterator[Finding]:
    """Who can get at the files, how large they are, and whether there is room for them."""
    sizes = [file.size for file in folder.stored()]
    yield _folder()
    yield _room(sizes)
    yield _memory(max(sizes, default=0))
    yield _statistics()


def _folder() -> Finding:
    """Whether the server, and nobody else, can read and write there; it is made when it is needed."""
    name = folder.FOLDER if os.path.exists(folder.FOLDER) else os.path.dirname(folder.FOLDER)
    foreign = _foreign_files()
    if not os.access(name, os.W_OK | os.X_OK):
        return Finding(
            "copies_folder",
            f"{name} cannot be written to",
            ok=False,
            advice=f"Give {name} in the data directory to the server's account.",
        )
    if os.stat(name).st_mode & stat.S_IWOTH:
        return Finding(
            "copies_folder",
            f"anybody can write to {name}",
            ok=False,
            advice=f"Run in the data directory: chmod 0700 {name}",
        )
    if foreign:
        return Finding(
            "copies_folder",
            f"{foreign} files in {name} are not the server's own",
            ok=False,
            advice=f"Remove what the server's account has not made, or others can read: {folder.PREFIX}*.",
        )
    return Finding("copies_folder", f"{name} is the server's own")


def _foreign_files() -> int:
    """Files by the names of ours that somebody else has made, or can read."""
    count = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(folder.FOLDER) as listing:
        for found in listing:
            if found.name.startswith(folder.PREFIX):
                count += not folder.is_ours(found.stat(follow_symlinks=False))
    return count


def _room(sizes: list[int]) -> Finding:
    """Copies share their file system with the tables."""
    limit, used, free = host_api.integer_setting("cache_size"), sum(sizes), shutil.disk_usage("base").free
    value = (
        f"{used // MEBIBYTE} of {limit // MEBIBYTE} MB in {len(sizes)} files, {free // MEBIBYTE} MB are free"
    )
    if limit - used > free:
        return Finding(
            "copies_size", value, ok=False, advice="Lower ruattn_fdw.cache_size, or make room on the disk."
        )
    return Finding("copies_size", value)


def _memory(largest: int) -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    value = f"{largest // MEBIBYTE} MB, this machine has {memory // MEBIBYTE} MB of memory"
    if largest > memory:
        return Finding(
            "largest_copy",
            value,
            ok=False,
            advice="Every search reads it from the disk: declare dtype = 'int8' for an attention index.",
        )
    return Finding("largest_copy", value)


def _statistics() -> Finding:
    try:
        return Finding("statistics", f"{sum(1 for _ in usage.entries())} of {usage.SLOTS} entries used")
    except AttentionError as error:
        return Finding("statistics", error.message, ok=False, advice=error.hint)
