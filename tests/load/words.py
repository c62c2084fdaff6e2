"""Tables that change while they are searched, and statements that compare a search with what SQL sees.

Each kind of attention index has a table of words, with a primary key on the ids, and one of links. A marker
is a row whose vector says how often the table was changed: SIZE, then STEP times the version modulo VERSIONS,
at a place of its own. What asks for it has ones at both. Its version in plain SQL counts on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from tests.corpus import binary_rows

Connection = psycopg.Connection[Any]

KINDS = ("plain", "float32", "float16", "int8")
"""By the dtype of the attention index; plain has none."""
MARKERS, SIZE, STEP, VERSIONS = 8, 2, 0.01, 59
CHURN, UPDATED = 5, 20
"""Rows that come and go, and that get another vector, with each change."""


class Words(NamedTuple):
    """How many rows there are at first, with ids from 1, and their dimensions."""

    rows: int
    dim: int

    @property
    def head(self) -> int:
        """Dimensions of one of MARKERS heads."""
        return self.dim // MARKERS

    def definition(self) -> Iterator[str]:
        """What makes the tables out of `words`."""
        marker = (
            f"array_fill(0::real, ARRAY[n * {self.head}]) || ARRAY[first, second]"
            f" || array_fill(0::real, ARRAY[{self.dim - 2} - n * {self.head}])"
        )
        yield (
            f"CREATE FUNCTION marker(n int, first real, second real) RETURNS real[] IMMUTABLE RETURN {marker}"
        )
        yield f"CREATE TABLE asks AS SELECT -n::bigint AS id, marker(n, 1, 1) AS vec FROM {_MARKERS}"
        questions = f"SELECT 1 - id AS id, embedding AS vec FROM words WHERE id <= {MARKERS}"
        yield f"CREATE TABLE questions AS {questions}"
        yield "CREATE TABLE tiny AS TABLE asks"
        for kind in KINDS:
            yield f"CREATE TABLE {kind} (id bigint PRIMARY KEY, vec real[], version int DEFAULT 0)"
            yield f"INSERT INTO {kind} SELECT id, embedding FROM words"
            yield f"INSERT INTO {kind} SELECT -n, marker(n, {SIZE}, 0) FROM {_MARKERS}"
            yield f"CREATE TABLE links_{kind} (source bigint, target bigint)"
            yield f"INSERT INTO links_{kind} SELECT -n, n + 1 FROM {_MARKERS}"
            yield f"CREATE INDEX ON links_{kind} (source)"
            if kind != "plain":
                index = "USING ruvector_attention (vec) INCLUDE (id)"
                yield f"CREATE INDEX ON {kind} {index} WITH (dtype = {kind})"
            yield f"VACUUM ANALYZE {kind}"

    def make(self, connection: Connection, embeddings: NDArray[np.float32]) -> None:
        """Make the tables of these vectors (rows, dim)."""
        connection.execute("CREATE TABLE words (id int, embedding real[])")
        with connection.cursor().copy("COPY words FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + binary_rows(embeddings) + b"\xff\xff")
        for statement in self.definition():
            connection.execute(statement.encode())
        connection.execute("DROP TABLE words")

    def change(self, connection: Connection, kind: str, number: int, chance: Random) -> None:
        """Change a table for the time `number`, which is then its version: update, insert and delete rows."""
        first, marker = chance.randrange(1, self.rows - UPDATED), chance.randrange(MARKERS)
        new = self.rows + number * CHURN
        old = new - 20 * CHURN
        with connection.transaction():
            for statement in (
                f"UPDATE {kind} SET version = {number}, vec = CASE WHEN id <= 0"
                f" THEN marker(-id::int, {SIZE}, {number % VERSIONS * STEP}) ELSE vec[2:] || vec[1:1] END"
                f" WHERE id <= 0 OR id BETWEEN {first} AND {first + UPDATED}",
                f"INSERT INTO {kind} SELECT {new} + n, vec, {number}"
                f" FROM {kind}, generate_series(1, {CHURN}) n WHERE id = {first}",
                f"INSERT INTO links_{kind} SELECT -{marker}, {new} + n FROM generate_series(1, {CHURN}) n",
                f"DELETE FROM {kind} WHERE id BETWEEN {self.rows + 1} AND {old}",
                f"DELETE FROM links_{kind} WHERE target BETWEEN {self.rows + 1} AND {old}",
            ):
                connection.execute(statement.encode())

    def ask(self, kind: str, search: str, chance: Random, last: int) -> str:
        """A statement that gives whether a search agrees with the table, and the table's version.

        last: about how often the table was changed.
        """
        marker = chance.randrange(MARKERS)
        some = [-marker, *(chance.randrange(1, self.rows) for _ in range(20))]
        some += range(self.rows + max(0, last - 15) * CHURN, self.rows + last * CHURN)
        return STATEMENTS[search].format(
            kind=kind,
            marker=-marker,
            place=marker * self.head + 2,
            some="{" + ",".join(map(str, some)) + "}",
            root=math.sqrt(self.dim),
            head_root=MARKERS * math.sqrt(self.head),
        )


_MARKERS = f"generate_series(0, {MARKERS - 1}) n"
_SECOND = f"(b.version % {VERSIONS} * {STEP})"
_MARK = f"({SIZE} + {_SECOND})"
_QUERY = "(SELECT vec FROM asks WHERE id = {marker})"
_BEST = (
    "SELECT s.id = {{marker}} AND abs(s.logit - {logit}) < 0.00005, b.version FROM mha_search s "
    "JOIN {{kind}} b ON b.id = {{marker}} WHERE s.table_name = '{{kind}}' AND s.k = {k} AND s.rank = 1 "
    f"AND s.query = {_QUERY.replace('{', '{{').replace('}', '}}')} AND {{parameters}}"
)


def _best(logit: str, parameters: str, k: int = 1) -> str:
    return _BEST.format(logit=logit, parameters=parameters, k=k)


STATEMENTS = {
    "multi_head": _best(f"{_MARK} / {{head_root}}", f"s.num_heads = {MARKERS}"),
    "scaled_dot": _best(f"{_MARK} / {{root}}", "s.attention_type = 'scaled_dot'"),
    "cosine": _best(
        f"{_MARK} / (sqrt(2) * sqrt({SIZE}^2 + {_SECOND}^2)) / 0.1",
        "s.attention_type = 'cosine'",
        5,
    ),
    "questions": (
        "SELECT count(*) = 10 AND bool_and(abs(s.logit - (SELECT sum(a * b) / {head_root} "
        "FROM unnest(b.vec, q.vec) u (a, b))) < 0.00005), (SELECT version FROM {kind} WHERE id = {marker}) "
        "FROM mha_search s JOIN {kind} b USING (id), questions q WHERE q.id = {marker} "
        "AND s.query = (SELECT vec FROM questions WHERE id = {marker}) "
        f"AND s.table_name = '{{kind}}' AND s.num_heads = {MARKERS} AND s.k = 10"
    ),
    "all rows": (
        "SELECT (SELECT count(*) FROM mha_search s WHERE s.table_name = '{kind}' AND s.num_heads = 1 "
        f"AND s.query = {_QUERY}) = (SELECT count(*) FROM {{kind}}), "
        "(SELECT version FROM {kind} WHERE id = {marker})"
    ),
    "candidates": (
        "SELECT bool_and(s.id IS NOT NULL AND c.id IS NOT NULL AND abs(s.logit - c.logit) < 0.00005), "
        "max(c.version) FROM (SELECT id, logit FROM mha_search WHERE table_name = '{kind}' AND num_heads = 1 "
        f"AND query = {_QUERY} AND candidates = '{{some}}') s FULL JOIN (SELECT w.id, "
        "CASE WHEN w.id = {marker} THEN w.version END AS version, "
        "(SELECT sum(a * b) / {root} FROM unnest(w.vec, q.vec) u (a, b)) AS logit "
        "FROM {kind} w, asks q WHERE q.id = {marker} AND w.id = ANY ('{some}')) c ON c.id = s.id"
    ),
    "cross_attention": (
        f"SELECT bool_and(s.doc_id = s.query_id AND abs(s.logit - {_MARK} / {{root}}) < 0.00005) "
        f"AND count(*) = {MARKERS}, max(b.version) FROM cross_attention s JOIN {{kind}} b ON b.id = s.doc_id "
        "WHERE s.query_table = 'asks' AND s.document_table = '{kind}' AND s.k = 1"
    ),
    "attention": (
        f"SELECT abs(s.output[{{place}}] / s.output[{{place}} - 1] * {SIZE} - {_SECOND}) < 0.001,"
        " b.version FROM attention s, {kind} b WHERE b.id = {marker} AND s.table_name = '{kind}' "
        f"AND s.temperature = 0.002 AND s.query = {_QUERY}"
    ),
    "gat_search": (
        "SELECT ARRAY(SELECT node_id FROM gat_search WHERE node_table = '{kind}' "
        "AND edge_table = 'links_{kind}' AND query_node_id = {marker} AND direction = 'out' "
        "AND self_loops = false ORDER BY node_id) = "
        "ARRAY(SELECT target FROM links_{kind} WHERE source = {marker} ORDER BY target), "
        "(SELECT version FROM {kind} WHERE id = {marker})"
    ),
}
SEARCHES = [(kind, search) for search in STATEMENTS for kind in KINDS]
"""All ways to search."""
