"""The options of ``ruattn plot``: the parameters of the tables that its pictures ask."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ruattn_fdw.cli.choices import choices
from ruattn_fdw.declaration import Parameter, Table
from ruattn_fdw.tables.gat_search import SEARCH as GRAPH
from ruattn_fdw.tables.mha_search import SEARCH as ROWS

MOST_ROWS = 60
"""Rows that a picture can show."""

MECHANISM, K = "attention_type", "k"
# what belongs to one mechanism
OWN = {MECHANISM, "options", "normaliser", "model"}
LABEL = "column that says what a row is (default: the id)"
ALL = "mechanisms (default: those that weigh each row for itself)"


def add_pictures(
    plot: argparse.ArgumentParser, where: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]
) -> None:
    """A sub-command for each picture."""
    pictures = choices(plot, "PICTURE")

    def add(name: str, text: str, table: Table, left_out: set[str]) -> argparse.ArgumentParser:
        command = pictures.add_parser(name, parents=[where], help=text, allow_abbrev=False)
        command.set_defaults(run=run, picture=name)
        command.add_argument("file", type=_picture_file, help="the picture, .png or .svg")
        command.add_argument("--label", metavar="COLUMN", help=LABEL)
        for parameter in table.parameters:
            if parameter.name not in left_out:
                _add(command, parameter)
        return command

    heads = add("heads", "the weights of the best rows in each head", ROWS, {K})
    _add_k(heads, 10)
    graph = add("graph", "the nodes that a node of a graph attends to", GRAPH, {K})
    _add_k(graph, 30)
    entropy = add("entropy", "how spread the weights of each mechanism are", ROWS, OWN | {K})
    entropy.add_argument("--attention-type", dest="mechanisms", nargs="+", metavar="NAME", help=ALL)
    compare = add("compare", "the best rows of several mechanisms, side by side", ROWS, OWN | {K})
    _add_k(compare, 10)
    compare.add_argument(
        "--attention-type", dest="mechanisms", nargs="+", metavar="NAME", required=True, help="mechanisms"
    )


def _add(command: argparse.ArgumentParser, parameter: Parameter) -> None:
    command.add_argument(
        f"--{parameter.name.replace('_', '-')}",
        required=parameter.required,
        metavar=parameter.type.upper().replace(" ", "_"),
        help=f"{parameter.help} ({parameter.status})",
    )


def _add_k(command: argparse.ArgumentParser, default: int) -> None:
    command.add_argument(
        "--k", type=_rows, default=default, metavar="K", help=f"rows, the best ones (default: {default})"
    )


def _rows(text: str) -> int:
    rows = int(text)
    if not 1 <= rows <= MOST_ROWS:
        raise argparse.ArgumentTypeError(f"a picture shows 1 to {MOST_ROWS} rows, got {rows}")
    return rows


def _picture_file(text: str) -> Path:
    if not text.endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"a picture is a .png or .svg, got {text}")
    return Path(text)
