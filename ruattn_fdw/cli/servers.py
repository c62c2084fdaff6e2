"""``ruattn server``: the embedded server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import embedded
from ruattn_fdw.server.server import Server

NOT_RUNNING = 3


def default_data(major: int) -> Path:
    """The caller's own data folder for a server of that major version."""
    if os.geteuid() == 0:
        return Path("/var/lib/ruattn-fdw", f"data-{major}")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base, "ruattn-fdw", f"data-{major}")


def chosen(options: argparse.Namespace) -> Server:
    """The server that ``--data`` and ``--pg`` name."""
    return Server(options.data or default_data(options.pg), embedded(options.pg))


def bring_up(options: argparse.Namespace) -> Server:
    """The chosen server, running, with the extension built and installed into it."""
    server = chosen(options)
    if server.installation.install():
        print(f"built the host for {server.installation}")
    server.start()
    return server


def start(options: argparse.Namespace) -> None:
    """Start it; the URI is the last line."""
    server = bring_up(options)
    print(f"{server.installation} runs on {server.data}")
    print(server.uri())


def stop(options: argparse.Namespace) -> None:
    """Stop it."""
    chosen(options).stop()


def status(options: argparse.Namespace) -> int:
    """Say whether it runs."""
    server = chosen(options)
    running = server.running()
    state = "runs" if running else "does not run"
    print(f"{server.installation} {state} on {server.data}; its log: {server.log}")
    return 0 if running else NOT_RUNNING


def uri(options: argparse.Namespace) -> None:
    """Print the URI, whether it runs or not."""
    print(chosen(options).uri())


def psql(options: argparse.Namespace) -> None:
    """Become psql."""
    server = chosen(options)
    if not server.running():
        raise ServerError(f"no server runs on {server.data}", "ruattn server start")
    program = server.installation.program("psql")
    os.execve(program, [program, *options.arguments], {**os.environ, **server.environment()})
