"""``ruattn demo``: from nothing to a first answer."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ruattn_fdw.cli.sample import Sample, load_sample, missing_tables, read_sample
from ruattn_fdw.cli.servers import bring_up
from ruattn_fdw.server.server import Server

DATABASE = "demo"
QUESTION = 6
# Logits of unit vectors cut into 8 heads differ by 0.1 at most: at temperature 1 every score would be 1/4000.
QUERY = """\
SELECT d.title, d.body, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = '{vector}'
       AND s.num_heads = 8 AND s.k = 10 AND s.temperature = 0.002
ORDER  BY s.score DESC;"""


def run(options: argparse.Namespace) -> None:
    """Start the server, load the sample, ask one question, say how to go on."""
    console = Console(highlight=False)
    server = bring_up(options)
    console.print(f"{server.installation} runs on {server.data}", soft_wrap=True, markup=False)
    sample = read_sample()
    with connect(server) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS ruattn_fdw")
        if missing_tables(connection):
            load_with_progress(connection, sample, console)
        ask(connection, sample, console)
    console.print(f"\nGo on in psql:  {psql_command(options)}", soft_wrap=True, markup=False)


def connect(server: Server) -> psycopg.Connection[Any]:
    """A connection to the demo's own database, created where it is missing."""
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    return psycopg.connect(server.uri(DATABASE), autocommit=True)


def load_with_progress(connection: psycopg.Connection[Any], sample: Sample, console: Console) -> None:
    """Load the sample, showing how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        rows = sum(len(sample.rows(table)) for table in missing_tables(connection))
        task = progress.add_task("loading WordNet entries", total=rows)
        load_sample(connection, sample, lambda: progress.advance(task))


def ask(connection: psycopg.Connection[Any], sample: Sample, console: Console) -> None:
    """Run the query for one question and print both, the vector abbreviated."""
    number, question = sample.questions[QUESTION - 1]
    vector = sample.question_embeddings[QUESTION - 1].tolist()
    query = QUERY.format(vector="{" + ", ".join(map(repr, vector)) + "}")
    short = QUERY.format(vector="{" + ", ".join(f"{value:.3f}" for value in vector[:3]) + ", ...}")
    console.print(f"\nQuestion {number}: {question}\n\n{short}\n", soft_wrap=True, markup=False)
    table = Table("title", "body")
    table.add_column("score", justify="right")
    for title, body, score in connection.execute(query.encode()):
        table.add_row(title, body, f"{score:.4f}")
    console.print(table, markup=False)


def psql_command(options: argparse.Namespace) -> str:
    """The command line that opens psql on the demo's database."""
    command = [sys.argv[0], "server", "psql"]
    if options.data is not None:
        command += ["--data", str(options.data)]
    if options.pg != 18:
        command += ["--pg", str(options.pg)]
    return shlex.join([*command, DATABASE])
