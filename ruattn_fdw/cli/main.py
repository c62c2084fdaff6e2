"""``ruattn``: the parser, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import psycopg

import ruattn_fdw
from ruattn_fdw.cli import doctor, install, servers
from ruattn_fdw.cli.choices import choices
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import DEFAULT, EMBEDDED

START = "start the server, creating it where it is missing; the last line printed is its URI"
EXPLORE = "a local page to search on: ranked rows, weights by head, EXPLAIN, and the SQL to copy"
PG_CONFIG = "the pg_config of a server that is installed already"


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The whole command line; without the options of ``plot`` unless it is the chosen command.

    They are the parameters of the tables, whose modules take as long to import as all else.
    """
    top = argparse.ArgumentParser(prog="ruattn", description="Attention as foreign tables in PostgreSQL.")
    top.add_argument("--version", action="version", version=ruattn_fdw.__version__)
    commands = choices(top, "COMMAND")
    where = _server_options()
    _server_commands(commands.add_parser("server", help="run the embedded server"), where)
    command = commands.add_parser(
        "demo", parents=[where], help="a first query on a sample of real embeddings"
    )
    command.set_defaults(run=_needing("embedded", "demo", "run"))
    database = _database_options(where)
    command = commands.add_parser("plot", help="draw the attention that a query pays, as PNG or SVG")
    if chosen == "plot":
        add_pictures = import_module("ruattn_fdw.cli.plot_options").add_pictures
        add_pictures(command, database, _needing("plot", "plot", "run"))
    command = commands.add_parser("explore", parents=[database], help=EXPLORE)
    command.add_argument("--role", help="the role to read as (default: that of the connection)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    command.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    command.set_defaults(run=_explore)
    for name, run, text in (
        ("install", install.install, "put the extension into a server that is installed already"),
        ("uninstall", install.uninstall, "take the extension out of a server"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--pg-config", default="pg_config", metavar="PATH", help=PG_CONFIG)
        command.set_defaults(run=run)
    command = commands.add_parser("doctor", parents=[where], help="what works, and how to mend what does not")
    command.add_argument("--pg-config", metavar="PATH", help=f"{PG_CONFIG}, instead of the embedded one")
    command.set_defaults(run=doctor.run)
    _weights_commands(commands.add_parser("weights", help="sets of learned weights"), database)
    return top


def _needing(extra: str, module: str, function: str) -> Callable[[argparse.Namespace], object]:
    """A command of a module that needs what an extra of the package brings."""

    def run(options: argparse.Namespace) -> object:
        try:
            return getattr(import_module(f"ruattn_fdw.cli.{module}"), function)(options)
        except ModuleNotFoundError as error:
            raise ServerError(
                f"the module {error.name} is not installed", f"pip install 'ruattn-fdw[{extra}]'"
            ) from error

    return run


def _explore(options: argparse.Namespace) -> None:
    import_module("ruattn_fdw.cli.explore").run(options)


def _database_options(where: argparse.ArgumentParser) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, parents=[where])
    options.add_argument(
        "--uri", help="the server (default: what PGHOST and so on say, else the embedded one)"
    )
    options.add_argument("--database", metavar="NAME", help="the database there")
    return options


def _server_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--data", type=Path, metavar="DIR", help="the data folder (default: one for each account)"
    )
    options.add_argument(
        "--pg", type=int, choices=sorted(EMBEDDED), default=DEFAULT, help="major version (default: 18)"
    )
    return options


def _server_commands(server: argparse.ArgumentParser, where: argparse.ArgumentParser) -> None:
    actions = choices(server, "ACTION")
    for name, run, text in (
        ("start", servers.start, START),
        ("stop", servers.stop, "stop the server"),
        ("status", servers.status, "say whether the server runs; exit code 3 where it does not"),
        ("uri", servers.uri, "print the connection URI"),
        ("psql", servers.psql, "open psql on the server; what follows is given to psql"),
    ):
        action = actions.add_parser(name, parents=[where], help=text, allow_abbrev=False)
        action.set_defaults(run=run)


def _weights_commands(weights: argparse.ArgumentParser, database: argparse.ArgumentParser) -> None:
    actions = choices(weights, "ACTION")

    def add(name: str, function: str, text: str, module: str = "weights") -> argparse.ArgumentParser:
        action = actions.add_parser(name, parents=[database], help=text)
        action.set_defaults(run=_needing("weights", module, function))
        return action

    action = add("load", "load", "store the weights of an attention layer out of a safetensors file")
    action.add_argument("file", type=Path, metavar="FILE")
    action.add_argument("--prefix", default="", help="what the names of the layer's tensors begin with")
    _new_set(action)
    add("list", "show_all", "list the sets")
    action = add("fit-experts", "fit_experts", "fit a gate of experts to the vectors of a table", "fitting")
    action.add_argument(
        "--experts", type=_count, default=8, metavar="N", help="number of experts (default: 8)"
    )
    _fitted(action)
    action = add("fit-routing", "fit_routing", "fit clusters to the vectors of a table", "fitting")
    action.add_argument(
        "--clusters", type=_count, metavar="N", help="number of clusters (default: the root of the rows)"
    )
    _fitted(action)
    for name, text in (("show", "list the tensors of a set"), ("drop", "remove a set")):
        add(name, name, text).add_argument("name", metavar="NAME")


def _fitted(action: argparse.ArgumentParser) -> None:
    action.add_argument("table", metavar="TABLE")
    action.add_argument("--column", metavar="NAME", help="the column of the vectors (default: the only one)")
    action.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the starts (default: 0)")
    _new_set(action)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of at least 1")
    return int(text)


def _new_set(action: argparse.ArgumentParser) -> None:
    action.add_argument("--as", dest="name", metavar="NAME", required=True, help="name of the set")
    action.add_argument("--replace", action="store_true", help="write a set anew that is there already")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    top = parser(words[0] if words else None)
    options, rest = top.parse_known_args(words)
    if options.run is servers.psql:
        options.arguments = rest
    elif rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return int(options.run(options) or 0)
    except ServerError as error:
        print(f"ruattn: {error.message}", file=sys.stderr)
        if error.remedy is not None:
            print(f"mend it with: {error.remedy}", file=sys.stderr)
    except psycopg.Error as error:
        print(f"ruattn: {str(error).strip()}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1
