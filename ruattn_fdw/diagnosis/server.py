"""The server that this interpreter runs in: versions that belong together, settings, other extensions."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import ruattn_fdw
from ruattn_fdw import host_api, models
from ruattn_fdw.diagnosis import Finding, copies
from ruattn_fdw.diagnosis.libraries import libraries
from ruattn_fdw.memory import MEBIBYTE
from ruattn_fdw.threads import processors

STARTED_BY = os.getpid()
"""The process that started the interpreter: of a library that is preloaded, the one that forked this."""

PLPYTHON_FIRST = (3, 12)
"""From this version of Python on PL/Python must be the one that starts the interpreter."""

FACTS = """
SELECT pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('remove_temp_files_after_crash'),
       pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE')::pg_catalog.text,
       (SELECT extversion FROM pg_catalog.pg_extension
        WHERE extname OPERATOR(pg_catalog.=) ANY ('{ruattn_fdw,ruattn_fdw_multicorn}'))
"""
OTHERS = """
SELECT a.name::pg_catalog.text, a.default_version, a.installed_version
FROM pg_catalog.pg_available_extensions a
WHERE a.name OPERATOR(pg_catalog.=) ANY ('{vector,ruattn_fdw_pgvector,plpython3u}')
"""


def findings() -> Iterator[Finding]:
    """All that can be seen from inside; paths and files for those who may read all settings."""
    version, removed, privileged, extension = _one_row(FACTS, 4)
    yield from _versions(extension)
    yield Finding("postgresql", version or "")
    yield Finding("python", platform.python_version())
    if privileged == "true":
        yield Finding("interpreter", host_api.text_setting("python"))
        yield Finding("environment", sys.prefix)
    yield from libraries()
    yield _threads(host_api.integer_setting("threads"), processors())
    yield Finding("features", host_api.text_setting("features"))
    yield Finding("max_memory", f"{host_api.integer_setting('max_memory') // MEBIBYTE} MB")
    yield _preloaded()
    yield copies.kept(removed == "on")
    if privileged == "true":
        if host_api.is_bundled():
            yield from copies.files()
        yield _rerank_models()
    yield from _other_extensions()


def _one_row(query: str, width: int) -> list[str | None]:
    columns, _, _ = host_api.select(query, ("text",) * width)
    return [column[0] if column else None for column in columns]


def _versions(extension: str | None) -> Iterator[Finding]:
    """Package, script and library in C are of one version."""
    package, library = ruattn_fdw.__version__, host_api.version()
    on_disk = next((found.version for found in metadata.distributions(name="ruattn-fdw")), package)
    yield _package(package, on_disk)
    yield Finding(
        "extension",
        extension or "not installed",
        ok=extension == package,
        advice=None if extension == package else "Run: ALTER EXTENSION ruattn_fdw UPDATE",
    )
    yield Finding(
        "host",
        library,
        ok=library == package,
        advice=None if library == package else "Run: ruattn install, and connect again.",
    )


def _rerank_models() -> Finding:
    offered = models.folders()
    usable = not offered or not models.missing_libraries()
    advice = None if usable else f"Run: {models.install_command()}"
    return Finding("rerank_models", ", ".join(offered) or "none", ok=usable, advice=advice)


def _package(running: str, on_disk: str) -> Finding:
    if on_disk == running:
        return Finding("package", running)
    return Finding(
        "package",
        f"{running}, replaced by {on_disk} since this session started",
        ok=False,
        advice="Connect again, and where the library is preloaded restart the server first.",
    )


def _threads(wanted: int, processors: int) -> Finding:
    value = f"{wanted}, of {processors} processors"
    if wanted > processors:
        return Finding(
            "threads", value, ok=False, advice="Lower ruattn_fdw.threads: no more run than processors."
        )
    return Finding("threads", value)


def _preloaded() -> Finding:
    if os.getppid() == STARTED_BY:
        return Finding("preload", "on: sessions start with Python and numpy")
    return Finding("preload", "off: the first search of a session starts Python and numpy")


def _other_extensions() -> Iterator[Finding]:
    """pgvector and PL/Python, which are not needed."""
    names, defaults, installed = host_api.select(OTHERS, ("text",) * 3)[0]
    there, here = dict(zip(names, defaults, strict=True)), dict(zip(names, installed, strict=True))
    yield _pgvector(there.get("vector"), here.get("vector"), here.get("ruattn_fdw_pgvector"))
    yield _plpython() if "plpython3u" in there else Finding("plpython", "not there")


def _pgvector(default: str | None, installed: str | None, companion: str | None) -> Finding:
    if default is None:
        return Finding("pgvector", "not there")
    if installed is None:
        return Finding("pgvector", f"{default}, not in this database")
    if companion is None:
        return Finding(
            "pgvector", f"{installed}, parameters do not take its types without ruattn_fdw_pgvector"
        )
    return Finding("pgvector", f"{installed}, with ruattn_fdw_pgvector {companion}")


def _plpython() -> Finding:
    """Whether a session can run both: they share one interpreter, of one version."""
    mine = ".".join(map(str, sys.version_info[:2]))
    library = Path(host_api.library_folder(), "plpython3.so")
    theirs = re.search(rb"libpython(3\.\d+)", library.read_bytes()) if library.exists() else None
    if theirs is not None and theirs[1].decode() != mine:
        return Finding(
            "plpython",
            f"runs Python {theirs[1].decode()}, ruattn_fdw {mine}",
            ok=False,
            advice="Use them in different sessions, or install ruattn-fdw with the other interpreter.",
        )
    if sys.version_info >= PLPYTHON_FIRST:
        return Finding("plpython", "shares the interpreter: it starts first, so that nothing is preloaded")
    return Finding("plpython", "shares the interpreter")
