"""Commands that consist of others."""

from __future__ import annotations

import argparse
import sys


def choices(
    command: argparse.ArgumentParser, metavar: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """A place for the commands below this one; without any of them it says which there are, exit code 2."""

    def run(_: argparse.Namespace) -> int:
        command.print_help(sys.stderr)
        return 2

    command.set_defaults(run=run)
    return command.add_subparsers(metavar=metavar)
