"""``ruattn weights fit-experts`` and ``fit-routing``: clusters of a table's vectors, kept as a set."""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from rich.progress import Progress

from ruattn_fdw.cli.database import connect
from ruattn_fdw.cli.weights import progress_columns, store
from ruattn_fdw.kernels import kmeans
from ruattn_fdw.kernels.arrays import uninterrupted
from ruattn_fdw.kernels.moe.gate import kmeans_gate
from ruattn_fdw.server.errors import ServerError

VECTOR_COLUMNS = """
SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = pg_catalog.to_regclass(%s)::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
VECTOR_TYPES = ("real[]", "double precision[]", "vector", "halfvec")
HEAD, ITEM = 20, np.dtype([("size", ">i4"), ("value", ">f4")])
"""What PostgreSQL sends of a one-dimensional real[]: a head, then each number behind its size."""
AT_ONCE = 1000


def fit_experts(options: argparse.Namespace) -> None:
    """Fit the gate of a mixture of experts."""
    with connect(options) as connection:
        vectors = read_vectors(connection, options.table, options.column)
        with Progress(*progress_columns()) as progress:
            task = progress.add_task(f"fitting {options.experts} experts", total=None)
            gate = kmeans_gate(vectors, options.experts, options.seed)
            progress.update(task, total=1, completed=1)
        _store(connection, options, "gate", gate, len(vectors))
    print(f"stored {options.name}: {len(gate)} experts of {len(vectors):,} rows")


def fit_routing(options: argparse.Namespace) -> None:
    """Fit the clusters of attention within clusters."""
    with connect(options) as connection:
        vectors = read_vectors(connection, options.table, options.column)
        wanted = options.clusters or math.ceil(math.sqrt(len(vectors)))
        with Progress(*progress_columns()) as progress:
            task = progress.add_task(f"fitting {wanted} clusters", total=None)
            centroids = kmeans.fit(vectors, wanted, options.seed, uninterrupted, spherical=True)
            progress.update(task, total=1, completed=1)
        _store(connection, options, "centroids", centroids, len(vectors))
    print(f"stored {options.name}: {len(centroids)} clusters of {len(vectors):,} rows")


def read_vectors(connection: psycopg.Connection[Any], table: str, column: str | None) -> np.ndarray:
    """The vectors (n, d) float32 of a table that are not NULL, showing how far it is."""
    name = _vector_column(connection, table, column)
    parts = {"column": sql.Identifier(name), "table": sql.SQL(_quoted(connection, table))}
    count = sql.SQL("SELECT pg_catalog.count({column}) FROM {table}").format(**parts)
    select = sql.SQL(
        "SELECT pg_catalog.array_send({column}::real[]) FROM {table} WHERE {column} IS NOT NULL"
    ).format(**parts)
    rows: list[np.ndarray] = []
    with connection.transaction(), Progress(*progress_columns()) as progress:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        total = connection.execute(count).fetchall()[0][0]
        task = progress.add_task("reading rows", total=total)
        with connection.cursor("vectors", binary=True) as cursor:
            cursor.itersize = AT_ONCE
            for (sent,) in cursor.execute(select):
                rows.append(_numbers(sent))
                progress.advance(task)
    return _checked(rows, f"{table}.{name}")


def _quoted(connection: psycopg.Connection[Any], table: str) -> str:
    """The relation of this name, as SQL writes it; ServerError where there is none."""
    found = connection.execute("SELECT pg_catalog.to_regclass(%s)::text", [table]).fetchall()[0][0]
    if found is None:
        raise ServerError(f'relation "{table}" does not exist in the database "{connection.info.dbname}"')
    return str(found)


def _vector_column(connection: psycopg.Connection[Any], table: str, column: str | None) -> str:
    """The column asked for, else the only one of a vector type."""
    _quoted(connection, table)
    found = connection.execute(VECTOR_COLUMNS, [table]).fetchall()
    vectors = [name for name, kind in found if kind.rpartition(".")[2] in VECTOR_TYPES]
    if column is None and len(vectors) == 1:
        return str(vectors[0])
    if column in vectors:
        return str(column)
    what = (
        f'"{column}" is no vector column of {table}'
        if column
        else f"{table} has {len(vectors)} vector columns"
    )
    raise ServerError(f"{what}; say which with --column: {', '.join(vectors) or 'there are none'}")


def _numbers(sent: bytes) -> np.ndarray:
    return np.frombuffer(sent, ITEM, offset=HEAD)["value"].astype(np.float32)


def _checked(rows: list[np.ndarray], label: str) -> np.ndarray:
    """The rows as one array; ServerError unless they are alike, finite, and there are some."""
    widths = sorted({len(row) for row in rows})
    if len(widths) != 1 or not widths[0]:
        listed = " and ".join(map(str, widths[:2]))
        raise ServerError(
            f"{label} has vectors of {listed} dimensions" if rows else f"{label} has no vectors"
        )
    vectors = np.array(rows)
    if not np.isfinite(vectors).all():
        raise ServerError(f"{label} holds NaN or infinity")
    return vectors


def _store(
    connection: psycopg.Connection[Any],
    options: argparse.Namespace,
    tensor: str,
    array: np.ndarray,
    rows: int,
) -> None:
    tensors = {tensor: array.astype(np.float32)}
    store(connection, options.name, tensors, replace=options.replace, fitted_rows=rows)
