"""Every SQL block of the page on shards runs, in order: on the server that asks, or on every shard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ruattn_fdw.cli.sample import load_sample, read_sample
from ruattn_fdw.server.server import Server
from tests.docs.test_blocks import blocks_of, check_error, rows_of

Connection = psycopg.Connection[Any]
PAGE = Path(__file__).parents[2] / "docs" / "shards.md"
SHOWN = "text"
"""The kind of blocks that show a drawing, or a plan."""
ROUND = re.compile(r"^ +(Round .*)$", re.MULTILINE)
VERSION = re.compile(r'"version": "[^"]*"')


@pytest.fixture
def shards(shard_servers: dict[str, Server]) -> Iterator[list[Connection]]:
    """Connections to an empty database `search` on every shard."""
    with ExitStack() as stack:
        opened = []
        for server in shard_servers.values():
            admin = stack.enter_context(psycopg.connect(server.uri(), autocommit=True))
            admin.execute("CREATE DATABASE search")
            stack.callback(admin.execute, "DROP ROLE asker")
            stack.callback(admin.execute, "DROP DATABASE search WITH (FORCE)")
            opened.append(stack.enter_context(psycopg.connect(server.uri("search"), autocommit=True)))
        yield opened


def shown_rounds(text: str) -> list[str]:
    """What the page shows of a plan, of whatever version."""
    return unversioned(ROUND.findall(text))


def unversioned(lines: list[str]) -> list[str]:
    return [VERSION.sub("", line) for line in lines]


def test_every_block_answers(
    db: Connection, shard_servers: dict[str, Server], shards: list[Connection]
) -> None:
    load_sample(db, read_sample(), lambda: None)
    text = PAGE.read_text()
    for number, server in enumerate(shard_servers.values(), start=1):
        text = text.replace(f"shard{number}.example", str(server.socket_folder))
    for kind, block in blocks_of(text):
        if kind == "sql error":
            check_error(db, block)
        elif kind == "sql on every shard":
            for shard in shards:
                for statement in block.split(";\n"):
                    shard.execute(statement.encode())
        elif block.startswith("EXPLAIN"):
            plan = [row[0].strip() for row in db.execute(block.encode()).fetchall()]
            assert unversioned([line for line in plan if line.startswith("Round")]) == shown_rounds(text)
        elif kind == "sql":
            assert all(rows_of(db.execute(block.encode()))), block
        else:
            assert kind == SHOWN, f"nothing runs this:\n{block}"
