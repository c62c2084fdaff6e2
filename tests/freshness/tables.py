"""A small table of vectors, alike for each kind of attention index."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]

VECTOR = "ARRAY[cos(i), sin(i), cos(2*i), sin(2*i), cos(3*i), sin(3*i), cos(4*i), sin(4*i)]::real[]"
DOCS = f"""
CREATE TABLE docs (id int, place int, note text DEFAULT '', vec real[]);
INSERT INTO docs SELECT i, i, '', {VECTOR} FROM generate_series(1, 12) i
"""


class Tables(NamedTuple):
    """The tables by the dtype of their attention index, and `plain` without one."""

    names: tuple[str, ...] = ("plain", "float32", "float16", "int8")

    def run(self, session: Connection, statement: str) -> None:
        """Run a statement, written for a table `docs`, for each of the tables."""
        for name in self.names:
            session.execute(statement.replace("docs", name).encode())

    def index(self, session: Connection, include: str = "INCLUDE (id)") -> None:
        """Make the attention indexes, `attn_` with the name of the table."""
        for name in self.names[1:]:
            session.execute(
                f"CREATE INDEX attn_{name} ON {name} USING ruvector_attention (vec) {include} "
                f"WITH (dtype = {name})".encode()
            )


TABLES = Tables()
