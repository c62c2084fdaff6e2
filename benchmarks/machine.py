"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def processor() -> str:
    """The processor's name as Linux gives it, with its widest vector instructions."""
    info = Path("/proc/cpuinfo").read_text()
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    names = {name.strip(): value.strip() for name, value in fields.items()}
    flags = names.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2", "sse2") if flag in flags), "")
    return f"{names.get('model name', platform.machine())} ({widest})"


def memory_gib() -> int:
    """Physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30


def describe(postgres: str) -> list[str]:
    """Lines that name the machine and the versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("ruattn-fdw", "numpy", "numexpr"))
    return [
        f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB",
        f"{postgres}; Python {platform.python_version()}; {packages}",
    ]
