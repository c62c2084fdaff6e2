"""``ruattn plot``: pictures of attention, asked of the extension's own tables."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import psycopg
from matplotlib.figure import Figure

from ruattn_fdw.asking import Connection, Search, find_relation
from ruattn_fdw.cli.database import connect_to_read, conninfo_of
from ruattn_fdw.cli.plot_options import MECHANISM
from ruattn_fdw.declaration import Table
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.plots import compare, entropy, graph, heads
from ruattn_fdw.plots.canvas import save
from ruattn_fdw.plots.wording import asked
from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.tables.gat_search import SEARCH as GRAPH
from ruattn_fdw.tables.mha_search import SEARCH as ROWS

UNWEIGHTED = "S"
"""Weights that are signed or do not sum to 1."""

# of one pair only: the others may compare all rows with each other
CHEAP = """
SELECT name FROM attention_types
WHERE  available AND 'mha_search' = ANY (operations) AND scope = 'P' AND weight_kind <> %s ORDER BY name
"""


def run(options: argparse.Namespace) -> None:
    """Draw one picture, and say where it is."""
    with connect_to_read(conninfo_of(options)) as connection:
        figure = PICTURES[options.picture](connection, options)
    try:
        without = save(figure, options.file)
    except OSError as error:
        raise ServerError(f"cannot write {options.file}: {error.strerror}") from error
    if without:
        print(f"drawn as boxes, for no font here has them: {without}", file=sys.stderr)
    print(options.file)


def _heads(connection: Connection, options: argparse.Namespace) -> Figure:
    return heads.draw(heads.read(connection, _search(connection, ROWS, options)))


def _graph(connection: Connection, options: argparse.Namespace) -> Figure:
    return graph.draw(graph.read(connection, _search(connection, GRAPH, options)))


def _entropy(connection: Connection, options: argparse.Namespace) -> Figure:
    search = _search(connection, ROWS, options)
    names = options.mechanisms or [name for (name,) in connection.execute(CHEAP, [UNWEIGHTED])]
    spreads = []
    for mechanism in map(_mechanism, names):
        if mechanism.weight_kind == UNWEIGHTED:
            raise ServerError(f"{mechanism.name} has no entropy: its weights are no distribution")
        try:
            spreads.append(entropy.read(connection, _with_mechanism(search, mechanism)))
        except (psycopg.DataError, psycopg.NotSupportedError) as error:
            if options.mechanisms:
                raise
            print(f"left out {mechanism.name}: {error.diag.message_primary}", file=sys.stderr)
    if not spreads:
        raise ServerError("no mechanism answers this query")
    return entropy.draw(spreads, _asked_of_all(connection, search))


def _compare(connection: Connection, options: argparse.Namespace) -> Figure:
    search = _search(connection, ROWS, options)
    mechanisms = map(_mechanism, options.mechanisms)
    rankings = [compare.read(connection, _with_mechanism(search, mechanism)) for mechanism in mechanisms]
    return compare.draw(rankings, _asked_of_all(connection, search))


PICTURES = {"heads": _heads, "graph": _graph, "entropy": _entropy, "compare": _compare}


def _search(connection: Connection, table: Table, options: argparse.Namespace) -> Search:
    """What the options ask of the table."""
    given = {p.name: getattr(options, p.name, None) for p in table.parameters}
    values = {name: value for name, value in given.items() if value is not None}
    assert table.source_row is not None
    source = find_relation(connection, values[table.source_row.relation])
    return Search(table, values, source, options.label)


def _with_mechanism(search: Search, mechanism: Mechanism) -> Search:
    """The search by that mechanism, without a temperature where it takes none."""
    values = {**search.values, MECHANISM: mechanism.name}
    if not mechanism.temperature:
        values.pop("temperature", None)
    return replace(search, values=values)


def _mechanism(name: str) -> Mechanism:
    try:
        return find(name)
    except KernelError as error:
        raise ServerError(f"{error.message}. {error.hint}") from error


def _asked_of_all(connection: Connection, search: Search) -> str:
    """What was asked of each mechanism."""
    temperature = search.values.get("temperature")
    words = "" if temperature is None else f", temperature {temperature} where taken"
    return f"{asked(connection, search)}{words}."
