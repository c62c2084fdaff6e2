"""One question, asked of the tables and, in the same statement and so the same snapshot, of plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import psycopg
from expected import Keys, attention, close, difference, keys_of, ranked

Rows = Sequence[tuple[Any, ...]]

QUERY = np.array([1, 0.5, -1, 0.25, 2, 0, 0.5, 1])


class Question(NamedTuple):
    """What is asked: one of the tables, a query vector, and how many rows of which keys."""

    table: str
    query: np.ndarray
    heads: int = 1
    k: int | None = None
    candidates: tuple[int, ...] | None = None
    up_to: int | None = None

    def statement(self, searched: str, source: str, column: str) -> str:
        """The answer over the relation `searched` and, marked by false, the rows of `source`."""
        answer = {"mha_search": _search, "attention": _output, "cross_attention": _pairs}[self.table]
        return (
            f"{answer(self, searched.replace(chr(39), chr(39) * 2))} UNION ALL "
            f"SELECT false, id, place, NULL, NULL, {column}::double precision[] FROM {source}"
        )

    def difference(self, rows: Rows) -> str | None:
        """How the answer in these rows differs from what their source says; None where it does not."""
        found = [row[1:] for row in rows if row[0]]
        keys = keys_of([(row[1], row[5]) for row in rows if not row[0] and self._considers(row[1], row[2])])
        check = {"mha_search": _check_search, "attention": _check_output, "cross_attention": _check_pairs}
        return check[self.table](self, found, keys)

    def _considers(self, row_id: int, place: int) -> bool:
        if self.candidates is not None and row_id not in self.candidates:
            return False
        return self.up_to is None or place <= self.up_to


def literal(vector: np.ndarray) -> str:
    """A vector as PostgreSQL reads it."""
    return "{" + ",".join(map(repr, vector.tolist())) + "}"


def cache_use(connection: psycopg.Connection[Any], statement: str) -> str:
    """How EXPLAIN (ANALYZE) says that the cache was used by the search in a statement."""
    explained = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode()).fetchall()
    plans = [explained[0][0][0]["Plan"]]
    while plans:
        plan = plans.pop()
        if "Cache Use" in plan:
            return str(plan["Cache Use"])
        plans += plan.get("Plans", [])
    raise AssertionError(f"no search in {explained}")


def draw(random: Random, numbers: np.random.Generator, dimensions: int, ids: Sequence[int]) -> Question:
    """A question at random, mostly for all rows of a search."""
    query = numbers.standard_normal(dimensions)
    kind = random.choices(["all", "top", "candidates", "causal", "attention", "pairs"], [8, 6, 2, 2, 1, 1])[0]
    if kind == "candidates":
        wanted = (*random.sample(ids, len(ids) // 2), -1)
        return Question("mha_search", query, 2, None, wanted)
    return {
        "all": Question("mha_search", query, 2),
        "top": Question("mha_search", query, 1, 5),
        "causal": Question("mha_search", query, 1, 5, None, random.randrange(50, 100)),
        "attention": Question("attention", query),
        "pairs": Question("cross_attention", query),
    }[kind]


def _search(question: Question, searched: str) -> str:
    clauses = "" if question.k is None else f" AND k = {question.k}"
    if question.candidates is not None:
        clauses += f" AND candidates = '{{{','.join(map(str, question.candidates))}}}'"
    if question.up_to is not None:
        clauses += (
            f" AND attention_type = 'causal' AND order_column = 'place' AND position = {question.up_to}"
        )
    return (
        "SELECT true, id, NULL::int, score::double precision, logit::double precision, "
        f"NULL::double precision[] FROM mha_search WHERE table_name = '{searched}' "
        f"AND query = '{literal(question.query)}' AND num_heads = {question.heads}{clauses}"
    )


def _output(question: Question, searched: str) -> str:
    return (
        "SELECT true, NULL::bigint, NULL::int, NULL::double precision, NULL::double precision, "
        f"output::double precision[] FROM attention WHERE table_name = '{searched}' "
        f"AND query = '{literal(question.query)}'"
    )


def _pairs(_: Question, searched: str) -> str:
    return (
        "SELECT true, query_id, doc_id::int, score::double precision, logit::double precision, "
        f"NULL::double precision[] FROM cross_attention WHERE query_table = '{searched}' "
        f"AND document_table = '{searched}'"
    )


def _check_search(question: Question, found: Rows, keys: Keys) -> str | None:
    answer = [(row[0], row[2], row[3]) for row in found]
    return difference(answer, ranked(question.query, keys, question.heads), question.k)


def _check_output(question: Question, found: Rows, keys: Keys) -> str | None:
    outputs = [row[4] for row in found if row[4] is not None]
    if not len(keys.ids):
        return f"an output {outputs} of no rows" if outputs else None
    wanted = attention(question.query, keys.vectors, 1)[0][:, 0] @ keys.vectors
    if len(outputs) != 1 or not all(map(close, outputs[0], wanted)):
        return f"outputs {outputs}, should be {wanted.tolist()}"
    return None


def _check_pairs(_: Question, found: Rows, keys: Keys) -> str | None:
    wanted = {}
    for row_id, vector in zip(keys.ids, keys.vectors, strict=True):
        scores = attention(vector, keys.vectors, 1)[0][:, 0]
        wanted |= {(int(row_id), int(key)): score for key, score in zip(keys.ids, scores, strict=True)}
    pairs = {(row[0], row[1]): row[2] for row in found}
    if pairs.keys() != wanted.keys() or len(pairs) != len(found):
        return f"pairs {sorted(pairs.keys() ^ wanted.keys())[:20]} are not in both, {len(found)} rows"
    wrong = [(pair, pairs[pair], score) for pair, score in wanted.items() if not close(pairs[pair], score)]
    return f"pairs (found, wanted) {wrong[:5]}" if wrong else None
