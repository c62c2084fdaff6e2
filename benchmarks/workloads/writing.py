"""What rows cost that come into a table with an attention index, a btree, and none."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench_server import Connection, Server
from workload import Contender

COPIED, INSERTERS, INSERTING_SECONDS = 100_000, 8, 4
INDEXES = {
    "no index": "SELECT",
    "btree": "CREATE INDEX ON {table} (id)",
    "attention index": "CREATE INDEX ON {table} USING ruvector_attention (embedding) INCLUDE (id)",
}


def copying(running: Server, connection: Connection) -> list[Contender]:
    """COPY of rows into tables with an index and without."""
    file = Path(running.data, "rows.copy")
    rows = (
        "SELECT row_number() OVER () AS id, embedding FROM words CROSS JOIN generate_series(1, "
        f"(SELECT {COPIED} / count(*) + 1 FROM words)) LIMIT {COPIED}"
    )
    connection.execute(f"COPY ({rows}) TO '{file}' (FORMAT binary)".encode())

    def contender(name: str) -> Contender:
        table = _target(connection, "copied", name)

        def run() -> float:
            connection.execute(f"TRUNCATE {table}".encode())
            start = time.perf_counter()
            connection.execute(f"COPY {table} FROM '{file}' (FORMAT binary)".encode())
            return (time.perf_counter() - start) * 1000

        goal = "ratio <= 1.3" if name == "attention index" else ""
        return Contender(f"COPY of {COPIED:,}, {name}", run, base=f"COPY of {COPIED:,}, no index", goal=goal)

    return [contender(name) for name in INDEXES]


def inserting(running: Server, connection: Connection) -> list[Contender]:
    """Sessions that insert rows one by one, by pgbench: milliseconds of them all for a row."""

    def contender(name: str) -> Contender:
        table = _target(connection, "inserted", name)
        script = Path(running.data, f"{table}.sql")
        row = "nextval('numbers'), (SELECT embedding FROM words WHERE id = 1)"
        script.write_text(f"INSERT INTO {table} VALUES ({row});\n")

        def run() -> float:
            connection.execute(f"TRUNCATE {table}".encode())
            return 1000 / _pgbench(running, script)

        goal = "ratio <= 1" if name == "attention index" else ""
        return Contender(
            f"{INSERTERS} inserters, {name}", run, base=f"{INSERTERS} inserters, btree", goal=goal
        )

    connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers CACHE 100")
    return [contender(name) for name in INDEXES]


def _target(connection: Connection, kind: str, index: str) -> str:
    """An empty table like words with that index."""
    table = f"{kind}_{index.replace(' ', '_')}"
    connection.execute(f"CREATE TABLE {table} (id bigint, embedding real[])".encode())
    connection.execute(INDEXES[index].format(table=table).encode())
    return table


def _pgbench(running: Server, script: Path) -> float:
    """Transactions in a second of all sessions together."""
    program = Path(running.installation.bindir, "pgbench")
    command = [program, "-n", "-c", str(INSERTERS), "-j", "2", "-T", str(INSERTING_SECONDS), "-f", script]
    done = subprocess.run([*map(str, command), running.uri()], capture_output=True, text=True, check=True)
    return float(done.stdout.split("tps = ")[1].split()[0])
