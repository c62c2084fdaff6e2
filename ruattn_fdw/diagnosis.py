"""What `ruattn_diag()` reports: versions, interpreter and settings as the running server has them."""

from __future__ import annotations

import platform
import sys

import numpy as np

import ruattn_fdw
from ruattn_fdw import host_api, models

Item = tuple[str, str, bool, str | None]

EXTENSION_VERSION = (
    "SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'ruattn_fdw'"
)
MEBIBYTE = 1024 * 1024


def rows() -> list[Item]:
    """(item, value, is it right, advice where it is not)."""
    from importlib import metadata

    return [
        ("package", ruattn_fdw.__version__, True, None),
        _extension(),
        ("python", platform.python_version(), True, None),
        ("interpreter", host_api.text_setting("python"), True, None),
        ("environment", sys.prefix, True, None),
        ("numpy", np.__version__, True, None),
        _blas(),
        ("numexpr", metadata.version("numexpr"), True, None),
        ("threads", str(host_api.integer_setting("threads")), True, None),
        ("features", host_api.text_setting("features"), True, None),
        _rerank_models(),
        ("max_memory", f"{host_api.integer_setting('max_memory') // MEBIBYTE} MB", True, None),
    ]


def _extension() -> Item:
    (versions,), _, _ = host_api.select(EXTENSION_VERSION, ("text",))
    version = versions[0] if versions else "not installed"
    matches = version == ruattn_fdw.__version__
    return "extension", version, matches, None if matches else "Run: ALTER EXTENSION ruattn_fdw UPDATE"


def _rerank_models() -> Item:
    offered = models.folders()
    usable = not offered or not models.missing_libraries()
    advice = None if usable else f"Run: {models.install_command()}"
    return "rerank_models", ", ".join(offered) or "none", usable, advice


def _blas() -> Item:
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not libraries:
        return (
            "blas",
            "none found",
            False,
            "Install numpy from PyPI, or on Debian: apt-get install -y libopenblas0-pthread",
        )
    return "blas", ", ".join(f"{lib['internal_api']} {lib['version']}" for lib in libraries), True, None
