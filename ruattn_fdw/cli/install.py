"""``ruattn install`` and ``ruattn uninstall``: a server that is installed already."""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path

from ruattn_fdw.cli.doctor import hidden_from
from ruattn_fdw.server.hostbuild import pg_setting
from ruattn_fdw.server.installation import Installation, find


def install(options: argparse.Namespace) -> None:
    """Compile the host for the server and put the extension into it."""
    installation = find(options.pg_config)
    installation.install()
    print(f"installed into {installation}: {installation.libdir}, {installation.sharedir / 'extension'}")
    blocked = hidden_from(None)
    if blocked is not None:
        print(f"warning: the server's account will not be able to read {blocked}, which the extension needs")
    print("next, in the database that shall have it: CREATE EXTENSION ruattn_fdw;")
    if has_multicorn(installation):
        print(f"or, with PYTHONPATH={sysconfig.get_path('purelib')} in the environment of the server:")
        print("CREATE EXTENSION ruattn_fdw_multicorn CASCADE;")


def has_multicorn(installation: Installation) -> bool:
    """Whether the server has Multicorn2."""
    return Path(pg_setting(installation.pg_config, "sharedir"), "extension", "multicorn.control").exists()


def uninstall(options: argparse.Namespace) -> None:
    """Take the extension's files out."""
    installation = find(options.pg_config)
    removed = installation.uninstall()
    for path in removed:
        print(f"removed {path}")
    if not removed:
        print(f"nothing of ruattn_fdw is installed in {installation}")
