"""The two rounds in which shards are asked for the best rows: their log-sum-exps, then their best under all.

By a shard's own weights its best rows need not be the best of all: under the log-sum-exp over all shards each
head's weights shrink by a factor of their own. The k best of each under that hold those of all. Often the
rows that came with the first round can be proved to hold them already, and there is no second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.kernels.merge import in_doubt, is_settled, merge_order, reweighted
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import fitting, own_options
from ruattn_fdw.source.asking_shards import Question, ask
from ruattn_fdw.source.literals import Condition
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharding import numbers
from ruattn_fdw.values import Unknown

SETTLED = ("id_column", "vector_column", "num_heads")


@dataclass(frozen=True)
class Search:
    """What the shards are asked; names: for each parameter there that of the parameter here.

    query: a vector, several (m, d) that go together, or Unknown; None where the conditions have it. heads:
    their number here where a model has none of its own.
    """

    table: Table
    shards: Sequence[Shard]
    conditions: Sequence[Condition]
    options: Mapping[str, Any]
    k: int | None
    names: Mapping[str, str]
    query: Any = None
    queries: int = 1
    heads: int | None = None

    @staticmethod
    def of(arguments: Arguments, table: Table, shards: Sequence[Shard], names: Mapping[str, str]) -> Search:
        """The search that these parameters mean, still without its query."""
        conditions = sharding.passed_on(arguments, table, names)
        heads = sharding.heads_beside_model(arguments)
        return Search(table, shards, conditions, own_options(arguments), arguments["k"], names, heads=heads)

    def by(self, query: Any) -> Search:
        """The same with a query vector."""
        return replace(self, query=query, queries=1)

    def by_each(self, queries: np.ndarray) -> Search:
        """The same with query vectors (m, d)."""
        return replace(self, query=queries, queries=len(queries))

    def only(self, places: Sequence[int]) -> Search:
        """The same with some of its queries."""
        return self.by_each(self.query[places]) if self.queries > 1 else self

    def first(self) -> Question:
        """The first round: the best rows of each shard by its own weights, with its log-sum-exp."""
        columns = ("lse", *SETTLED, "id", "score", "logit", "rank", "head_scores")
        return self._question(columns, [Condition("k", "integer", 1 if self.k is None else self.k)])

    def second(self, normaliser: Any, columns: Sequence[str] = ()) -> Question:
        """The second: the best rows of each under the log-sum-exp over all."""
        given = [Condition("normaliser", "double precision[]", normaliser)]
        limit = [] if self.k is None else [Condition("k", "integer", self.k)]
        return self._question(("id", "score", "logit", "rank", *columns), [*given, *limit])

    def _question(self, columns: Sequence[str], more: Sequence[Condition]) -> Question:
        asked = [*self.conditions, *more]
        return Question(self.table, columns, asked, self.options, self.query, self.queries, heads=self.heads)


@dataclass(frozen=True)
class Found:
    """Rows of an answer, and the log-sum-exp (H,) over all shards; head_scores (n, H) where wanted."""

    ids: np.ndarray
    score: np.ndarray
    logit: np.ndarray
    head_scores: np.ndarray | None
    lse: np.ndarray

    def best(self, k: int | None) -> Found:
        """The k best of them in their order, all where k is None."""
        order = merge_order(self.score, self.logit, self.ids, k, host_api.check_interrupts)
        heads = None if self.head_scores is None else self.head_scores[order]
        return Found(self.ids[order], self.score[order], self.logit[order], heads, self.lse)


@dataclass(frozen=True)
class Given:
    """Rows that shards gave, those of a shard query after query, best first within each.

    heads (n, H) where they were asked for.
    """

    ids: np.ndarray
    score: np.ndarray
    logit: np.ndarray
    rank: np.ndarray
    heads: np.ndarray | None

    @staticmethod
    def of(columns: Sequence[Any]) -> Given:
        """The columns id, score, logit, rank and perhaps head_scores as they came."""
        ids, score, logit, rank, *heads = (np.asarray(column) for column in columns)
        return Given(
            ids, score.astype(np.float32), logit.astype(np.float32), rank, heads[0] if heads else None
        )

    def take(self, rows: np.ndarray, whole: np.ndarray) -> Found:
        """Some of them as an answer under a log-sum-exp (H,)."""
        heads = None if self.heads is None else self.heads[rows]
        return Found(self.ids[rows], self.score[rows], self.logit[rows], heads, whole)

    def by_query(self, oids: np.ndarray, shard: Shard, queries: int) -> list[np.ndarray]:
        """The rows of one shard, out of those of all, cut where another query begins."""
        rows = np.flatnonzero(oids == shard.oid)
        starts = np.flatnonzero(self.rank[rows] == 1)
        if len(starts) != queries:
            raise AttentionError(
                f"{shard.label} has rows for {len(starts)} of {queries} queries",
                sqlstate=NOT_SUPPORTED,
                hint="Search a relation whose rows stay the same from one query to the next.",
            )
        return np.split(rows, starts[1:])


def find(
    search: Search, given: np.ndarray | None, arguments: Arguments, wanted: Sequence[str], report: Report
) -> Iterator[Found]:
    """The answer to each query in order, nothing where the shards have no rows.

    given (m, H): normalisers in place of the common ones.
    """
    kinds = ("text", *("text" for _ in SETTLED), "id", "float", "float", "id", "vector")
    (texts, *columns), oids = ask(search.shards, search.first(), kinds, "head_scores", report)
    if not texts:
        return
    sharding.put_in_effect(arguments, search.names, dict(zip(SETTLED, columns, strict=False)))
    living = [shard for shard in search.shards if shard.oid in oids]
    rows = Given.of(columns[len(SETTLED) :])
    parts = [rows.by_query(oids, shard, search.queries) for shard in living]
    lse = np.array([[numbers(texts[part[0]]) for part in of_query] for of_query in zip(*parts, strict=True)])
    whole = (
        np.array([sharding.whole_lse(values) for values in lse])
        if given is None
        else fitting(given, lse.shape[2])
    )
    # under a log-sum-exp that is given, weights may be more than single precision has left of them
    k = search.k if given is None else None
    found = [
        None if k is None else _settled(k, rows, of_query, values, common)
        for *of_query, values, common in zip(*parts, lse, whole, strict=True)
    ]
    left = [place for place, answer in enumerate(found) if answer is None]
    asked_again = _second_round(replace(search, shards=living), left, whole, wanted, report)
    for answer in found:
        yield next(asked_again) if answer is None else answer


def _second_round(
    search: Search, places: Sequence[int], whole: np.ndarray, wanted: Sequence[str], report: Report
) -> Iterator[Found]:
    """The answers to the queries at these places under their log-sum-exps out of (m, H)."""
    heads = ("head_scores",) if "head_scores" in wanted else ()
    kinds = ("id", "float", "float", "id", *("vector" for _ in heads))
    # without k, only an answer tells how many rows the next ones have
    size = 1 if search.k is None else len(places)
    while places:
        now, places = places[:size], places[size:]
        report.count("Second Rounds", len(now))
        asked = search.only(now).second(whole[now].reshape(-1), heads)
        columns, oids = ask(search.shards, asked, kinds, "head_scores", report)
        rows = Given.of(columns)
        parts = [rows.by_query(oids, shard, len(now)) for shard in search.shards]
        for place, *of_query in zip(now, *parts, strict=True):
            yield rows.take(np.concatenate(of_query), whole[place]).best(search.k)
        size = sharding.queries_at_once(-(-len(rows.ids) // len(now)))


def _settled(
    k: int, rows: Given, parts: Sequence[np.ndarray], lse: np.ndarray, whole: np.ndarray
) -> Found | None:
    """The answer out of what the first round gave, where it can have missed none of the k best rows.

    parts: which rows each shard gave, best first. lse (S, H): its log-sum-exps.
    """
    own = rows.take(np.concatenate(parts), whole)
    more = [len(part) == k for part in parts]
    last = np.array([rows.score[part[-1]] for part in parts if len(part) == k], np.float64)
    of_rows = np.repeat(lse, [len(part) for part in parts], axis=0)
    heads = reweighted(np.asarray(own.head_scores), of_rows, whole)
    score = heads.mean(axis=1).astype(np.float32)
    found = Found(own.ids, score, own.logit, heads.astype(np.float32), whole)
    best, next_too = found.best(k), found.best(k + 1)
    if len(parts) > 1 and in_doubt(next_too.score):
        return None
    return best if is_settled(last, lse[more], whole, float(best.score[-1])) else None


def two_rounds(search: Search) -> list[tuple[str, object]]:
    """What both rounds send, the second with a normaliser that is not known yet."""
    return sharding.planned(search.shards, [search.first(), search.second(Unknown("normaliser"))])
