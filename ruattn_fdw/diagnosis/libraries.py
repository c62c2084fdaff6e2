"""The libraries of this interpreter, inside a server or not."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

import numpy as np

from ruattn_fdw.diagnosis import Finding
from ruattn_fdw.kernels.native import sweep

BLAS_ADVICE = "Install numpy from PyPI, or on Debian: apt-get install -y libopenblas0-pthread."


def libraries() -> Iterator[Finding]:
    """numpy with its BLAS, scipy, numexpr, and the instructions that the kernels in C use."""
    yield Finding("numpy", np.__version__)
    yield blas()
    for name in ("scipy", "numexpr"):
        yield installed(name)
    best, *others = sweep.variants()
    yield Finding("kernels", f"{best} of {', '.join([best, *others])}")


def blas() -> Finding:
    """Those that numpy uses; the reference BLAS, which is slow, is none that tells of itself."""
    from threadpoolctl import threadpool_info

    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not found:
        return Finding("blas", "the reference BLAS, which is slow", ok=False, advice=BLAS_ADVICE)
    return Finding("blas", ", ".join(map(_described, found)))


def installed(name: str) -> Finding:
    """The version of a library without an import of it."""
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(
            name, "not installed", ok=False, advice=f"Install {name} where ruattn-fdw is installed."
        )


def _described(library: dict[str, str]) -> str:
    processor = library.get("architecture")
    kind = f"{library['internal_api']} {library['version']}"
    return f"{kind} ({processor})" if processor else kind
