"""``ruattn doctor``: all that the extension stands on: ok, or a problem and the one command that mends it."""

from __future__ import annotations

import argparse
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg

import ruattn_fdw
from ruattn_fdw.cli.servers import chosen
from ruattn_fdw.diagnosis import Finding
from ruattn_fdw.diagnosis.libraries import libraries
from ruattn_fdw.server import hostbuild
from ruattn_fdw.server.account import Account, blocked_at
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import Installation, find

NEW_ENVIRONMENT = "python3 -m venv /opt/ruattn && /opt/ruattn/bin/pip install 'ruattn-fdw[embedded]'"


def shown(finding: Finding) -> str:
    """A line of the report, or two."""
    line = f"{'ok' if finding.ok else 'PROBLEM':8}{finding.item}: {finding.value}"
    return line if finding.advice is None else f"{line}\n        {finding.advice}"


def mend(command: str | None) -> str | None:
    """The advice to run a shell command."""
    return None if command is None else f"mend it with: {command}"


def run(options: argparse.Namespace) -> int:
    """Print all findings; 1 where there is a problem."""
    installed = options.pg_config is not None
    server = None if installed else chosen(options)
    installation = find(options.pg_config) if server is None else server.installation
    account = None if server is None else server.account
    checks: list[Callable[[], Iterator[Finding]]] = [
        interpreter,
        libraries,
        lambda: readable(account),
        lambda: tool_chain(installation),
        lambda: versions(installation),
    ]
    if server is None:
        checks.append(lambda: answers(""))
    elif server.running():
        checks.append(lambda: answers(server.uri()))
    else:
        checks.append(lambda: iter([Finding("server", f"does not run on {server.data}")]))
    problems = 0
    for check in checks:
        for finding in guarded(check):
            print(shown(finding))
            problems += not finding.ok
    return 1 if problems else 0


def guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of ``check``; an error ends it with a problem, and the report goes on."""
    try:
        yield from check()
    except ServerError as error:
        yield Finding("error", error.message, ok=False, advice=mend(error.remedy))
    except (psycopg.Error, ImportError) as error:
        yield Finding("error", str(error).strip(), ok=False)


def interpreter() -> Iterator[Finding]:
    """The interpreter that runs here is the one that the host embeds."""
    yield Finding("package", f"ruattn-fdw {ruattn_fdw.__version__} in {Path(ruattn_fdw.__file__).parent}")
    yield Finding("interpreter", f"Python {sys.version.split()[0]}, {hostbuild.interpreter()}")
    yield Finding("environment", str(Path(sys.prefix).resolve()))


def needed_paths() -> list[Path]:
    """What the server's account reads: interpreter, standard library, libpython, the package and numpy."""
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    numpy = Path(str(import_module("numpy").__file__))
    return [hostbuild.interpreter(), Path(os.__file__), library, Path(ruattn_fdw.__file__), numpy]


def hidden_from(account: Account | None) -> Path | None:
    """The first file or folder that ``account`` (None: any other account) needs and cannot read."""
    return next((hit for path in needed_paths() if (hit := blocked_at(path, account))), None)


def readable(account: Account | None) -> Iterator[Finding]:
    """Whether the server's account can read all that it needs."""
    name = "the server's account" if account is None else account.name
    blocked = hidden_from(account)
    if blocked is None:
        yield Finding("readable", f"{name} can read interpreter, environment and package")
    else:
        yield Finding("readable", f"{name} cannot read {blocked}", ok=False, advice=mend(NEW_ENVIRONMENT))


def tool_chain(installation: Installation) -> Iterator[Finding]:
    """Compiler and headers, needed to build the host."""
    command = hostbuild.compiler()
    hostbuild.compile_flags(installation.pg_config)
    hostbuild.link_flags(installation.pg_config)
    yield Finding("tool chain", f"{command[0]}, headers of {installation} and of Python, shared libpython")


def versions(installation: Installation) -> Iterator[Finding]:
    """Package, installed scripts and compiled host belong together."""
    install = f"ruattn install --pg-config {installation.pg_config}"
    if installation.embedded:
        install = "ruattn server start"
    control = installation.sharedir / "extension" / "ruattn_fdw.control"
    if not control.exists():
        yield Finding("extension", f"not installed in {installation}", ok=False, advice=mend(install))
        return
    match = re.search(r"default_version\s*=\s*'([^']*)'", control.read_text())
    version = match.group(1) if match else "unknown"
    same = version == ruattn_fdw.__version__
    yield Finding(
        "extension", f"{version} in {control.parent}", ok=same, advice=None if same else mend(install)
    )
    library = installation.libdir / hostbuild.LIBRARY
    current = hostbuild.is_current(library, installation.pg_config)
    state = "current" if current else "not built from these sources for this interpreter"
    yield Finding("host", f"{library} is {state}", ok=current, advice=None if current else mend(install))


def answers(conninfo: str) -> Iterator[Finding]:
    """A test query, in a transaction that is rolled back, and what the server says of itself."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS ruattn_fdw")
        version, schema = fetch(
            connection,
            "SELECT extversion, pg_catalog.quote_ident(nspname) FROM pg_extension"
            " JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'ruattn_fdw'",
        )
        connection.execute(f"SET LOCAL search_path = {schema}".encode())
        yield Finding("database", f"{connection.info.dbname} has ruattn_fdw {version}")
        yield test_query(connection)
        for item, value, ok, advice in connection.execute(
            "SELECT item, value, ok, advice FROM ruattn_diag()"
        ):
            yield Finding(f"server's {item}", str(value), ok=ok, advice=advice)
        connection.rollback()


def test_query(connection: psycopg.Connection[Any]) -> Finding:
    """The logit of a pair that is known, unless the administrator switched its mechanism off."""
    available, reason = fetch(
        connection, "SELECT available, reason FROM attention_types WHERE name = 'scaled_dot'"
    )
    if not available:
        return Finding("test query", f"scaled_dot is switched off. {reason}")
    [logit] = fetch(connection, "SELECT logit FROM attention_score WHERE query = '{3,4}' AND key = '{3,4}'")
    return Finding("test query", f"a logit of {logit:.4f}", ok=abs(logit - 25 / 2**0.5) < 1e-3)


def fetch(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    """The one row of ``query``."""
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise ServerError(f"no row came from: {query}")
    return tuple(row)
