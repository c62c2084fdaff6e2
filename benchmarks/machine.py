"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import distributions, version
from pathlib import Path

from threadpoolctl import threadpool_info

OURS = ("ruattn-fdw", "numpy", "numexpr")
PEERS = ("duckdb", "faiss-cpu", "usearch", "sqlite-vec", "torch", "torch-geometric")


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


def installed(names: tuple[str, ...]) -> list[str]:
    """Names with versions of those packages that are there."""
    there = {found.metadata["Name"] for found in distributions()}
    return [f"{name} {version(name)}" for name in names if name in there]


def blas() -> str:
    """The library behind numpy's products and the processor that it takes this one for."""
    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(f"{pool['internal_api']} {pool['version']} ({pool['architecture']})" for pool in found)


def describe(postgres: str) -> list[str]:
    """Lines that name the machine and the versions."""
    lines = [
        f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB",
        f"{postgres}; Python {platform.python_version()}; {', '.join(installed(OURS))}; {blas()}",
    ]
    peers = installed(PEERS)
    return [*lines, f"peers: {', '.join(peers)}"] if peers else lines
