"""``ruattn weights``: sets of learned weights, in and out of the table ``ruattn_weights``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from ruattn_fdw.cli.database import connect, extension_schema
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.kernels.trained import trained
from ruattn_fdw.server.errors import ServerError

LIST = """
SELECT name, count(*), sum(pg_catalog.cardinality(data)), max(fitted_rows), max(stored_at)
FROM {} GROUP BY name ORDER BY name
"""
SHOW = "SELECT tensor, shape, fitted_rows, stored_at FROM {} WHERE name = %s ORDER BY tensor"


def weights_table(connection: psycopg.Connection[Any]) -> sql.Identifier:
    """The table, in whatever schema the extension is."""
    return sql.Identifier(extension_schema(connection), "ruattn_weights")


def progress_columns() -> tuple[ProgressColumn, ...]:
    """What is shown of work that takes a while."""
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


def load(options: argparse.Namespace) -> None:
    """Put the weights of one layer into a set."""
    from ruattn_fdw.cli.layers import read_layer

    tensors = read_layer(options.file, options.prefix)
    takers = checked(tensors)
    with connect(options) as connection:
        store(connection, options.name, tensors, replace=options.replace)
    size = sum(tensor.nbytes for tensor in tensors.values()) / 1e6
    print(f"stored {options.name}: {len(tensors)} tensors, {size:.1f} MB")
    print(f"mechanisms that take it: {', '.join(takers)}")


def checked(tensors: Mapping[str, np.ndarray]) -> list[str]:
    """The mechanisms that a set is for; ServerError where its tensors do not go together."""
    takers, error = [], None
    for mechanism in registry.MECHANISMS:
        known = () if mechanism.training is None else mechanism.training.tensors
        if set(tensors) <= set(known):
            try:
                trained(mechanism, tensors)
            except KernelError as reason:
                error = reason
            else:
                takers.append(mechanism.name)
    if not takers:
        raise ServerError(error.message if error else f"no mechanism takes {', '.join(sorted(tensors))}")
    return takers


def store(
    connection: psycopg.Connection[Any],
    name: str,
    tensors: Mapping[str, np.ndarray],
    *,
    replace: bool,
    fitted_rows: int | None = None,
) -> None:
    """Write a set, all of it or nothing, showing how far it is."""
    table = weights_table(connection)
    with (
        connection.transaction(),
        connection.cursor() as cursor,
        Progress(*progress_columns()) as progress,
    ):
        if replace:
            cursor.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(table), [name])
        elif cursor.execute(sql.SQL("SELECT FROM {} WHERE name = %s").format(table), [name]).rowcount:
            raise ServerError(f'there is a set "{name}" already; say --replace to write it anew')
        task = progress.add_task("storing tensors", total=len(tensors))
        statement = sql.SQL("COPY {} (name, tensor, shape, data, fitted_rows) FROM STDIN (FORMAT BINARY)")
        with cursor.copy(statement.format(table)) as copy:
            copy.set_types(["text", "text", "int4[]", "float4[]", "int8"])
            for tensor, array in tensors.items():
                copy.write_row((name, tensor, list(array.shape), array.ravel().tolist(), fitted_rows))
                progress.advance(task)


def show_all(options: argparse.Namespace) -> None:
    """List the sets."""
    with connect(options) as connection:
        rows = connection.execute(sql.SQL(LIST).format(weights_table(connection))).fetchall()
    if not rows:
        print("there are no sets of weights")
        return
    table = Table("name", "tensors", "numbers", "fitted to", "stored at")
    for name, tensors, numbers, fitted, stored in rows:
        table.add_row(name, str(tensors), f"{numbers:,}", _rows(fitted), f"{stored:%Y-%m-%d %H:%M}")
    Console(highlight=False).print(table, markup=False)


def show(options: argparse.Namespace) -> None:
    """List the tensors of one set."""
    with connect(options) as connection:
        rows = connection.execute(sql.SQL(SHOW).format(weights_table(connection)), [options.name]).fetchall()
        if not rows:
            raise missing(connection, options)
    table = Table("tensor", "shape", "fitted to", "stored at")
    for tensor, shape, fitted, stored in rows:
        table.add_row(tensor, " x ".join(map(str, shape)), _rows(fitted), f"{stored:%Y-%m-%d %H:%M}")
    Console(highlight=False).print(table, markup=False)


def drop(options: argparse.Namespace) -> None:
    """Remove one set."""
    with connect(options) as connection:
        statement = sql.SQL("DELETE FROM {} WHERE name = %s").format(weights_table(connection))
        if not connection.execute(statement, [options.name]).rowcount:
            raise missing(connection, options)
    print(f"dropped {options.name}")


def missing(connection: psycopg.Connection[Any], options: argparse.Namespace) -> ServerError:
    """The set is not in that database."""
    database = connection.info.dbname
    return ServerError(
        f'there is no set "{options.name}" in the database "{database}"',
        shlex.join(["ruattn", "weights", "list", "--database", database]),
    )


def _rows(fitted: int | None) -> str:
    return "" if fitted is None else f"{fitted:,} rows"
