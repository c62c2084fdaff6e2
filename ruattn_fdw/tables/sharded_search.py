"""`mha_search` and `cross_attention` over shards, in two rounds: their log-sum-exps, then their best rows.

By a shard's own weights its best rows need not be the best of all: under the log-sum-exp over all shards each
head's weights shrink by a factor of their own. The k best of each under that hold those of all. Often the
rows that came with the first round can be proved to hold them already, and there is no second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ruattn_fdw import host_api
from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NO_SUCH_RELATION, AttentionError
from ruattn_fdw.kernels.merge import in_doubt, is_settled, merge_lse, merge_order, reweighted
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import own_options
from ruattn_fdw.source.asking_shards import START, Question, ask, run
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.literals import Condition
from ruattn_fdw.source.relation import resolve
from ruattn_fdw.source.rows import quote
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.tables import sharding
from ruattn_fdw.values import Unknown

PASSED_ON = (
    "table_name", "id_column", "vector_column", "queries", "order_column", "position", "num_heads",
    "temperature", "attention_type", "candidates", "model",
)  # fmt: skip
SETTLED = ("id_column", "vector_column", "num_heads")
NAMES = {name: name for name in PASSED_ON}


@dataclass(frozen=True)
class Search:
    """What the shards are asked for one query; names: for each parameter there that of the parameter here."""

    table: Table
    shards: Sequence[Shard]
    conditions: Sequence[Condition]
    options: Mapping[str, Any]
    k: int | None
    names: Mapping[str, str]

    @staticmethod
    def of(
        arguments: Arguments, table: Table, shards: Sequence[Shard], names: Mapping[str, str] = NAMES
    ) -> Search:
        """The search that these parameters mean, still without its query."""
        conditions = sharding.passed_on(arguments, table, names)
        return Search(table, shards, conditions, own_options(arguments), arguments["k"], names)

    def by(self, query: Any) -> Search:
        """The same with a query vector."""
        return replace(self, conditions=[Condition("query", "attention_vector", query), *self.conditions])

    def first(self) -> Question:
        """The first round: the best rows of each shard by its own weights, with its log-sum-exp."""
        columns = ("lse", *SETTLED, "id", "score", "logit", "head_scores")
        return self._question(columns, [Condition("k", "integer", 1 if self.k is None else self.k)])

    def second(self, normaliser: Any, columns: Sequence[str] = ()) -> Question:
        """The second: the best rows of each under the log-sum-exp over all."""
        given = [Condition("normaliser", "double precision[]", normaliser)]
        limit = [] if self.k is None else [Condition("k", "integer", self.k)]
        return self._question(("id", "score", "logit", *columns), [*given, *limit])

    def _question(self, columns: Sequence[str], more: Sequence[Condition]) -> Question:
        return Question(self.table, columns, [*self.conditions, *more], self.options)


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


def find(
    search: Search, given: np.ndarray | None, arguments: Arguments, wanted: Sequence[str], report: Report
) -> Found | None:
    """The answer, None where the shards have no rows. given: a normaliser in place of the common one."""
    kinds = ("text", *("text" for _ in SETTLED), "id", "float", "float", "vector")
    (texts, *columns), oids = ask(search.shards, search.first(), kinds, "head_scores", report)
    if not texts:
        return None
    sharding.put_in_effect(arguments, search.names, dict(zip(SETTLED, columns, strict=False)))
    living = [shard for shard in search.shards if shard.oid in oids]
    parts = [np.flatnonzero(oids == shard.oid) for shard in living]
    lse = np.array([numbers(texts[part[0]]) for part in parts])
    whole = merge_lse(lse) if given is None else given
    if search.k is not None:
        found = _settled(search.k, columns[len(SETTLED) :], parts, lse, whole)
        if found is not None:
            return found
    heads = ("head_scores",) if "head_scores" in wanted else ()
    kinds = ("id", "float", "float", *("vector" for _ in heads))
    report.count("Second Rounds", 1)
    rows, _ = ask(living, search.second(whole, heads), kinds, "head_scores", report)
    return _found(rows, whole).best(search.k)


def _settled(
    k: int, rows: Sequence[Any], parts: Sequence[np.ndarray], lse: np.ndarray, whole: np.ndarray
) -> Found | None:
    """The answer out of what the first round gave, where it can have missed none of the k best rows.

    parts: which rows each shard gave, best first. lse (S, H): its log-sum-exps.
    """
    own = _found(rows, whole)
    more = [len(part) == k for part in parts]
    last = np.array([own.score[part[-1]] for part in parts if len(part) == k], np.float64)
    of_rows = np.empty((len(own.ids), lse.shape[1]))
    for part, values in zip(parts, lse, strict=True):
        of_rows[part] = values
    heads = reweighted(np.asarray(own.head_scores), of_rows, whole)
    score = heads.mean(axis=1).astype(np.float32)
    found = Found(own.ids, score, own.logit, heads.astype(np.float32), whole)
    best, next_too = found.best(k), found.best(k + 1)
    if len(parts) > 1 and in_doubt(next_too.score):
        return None
    return best if is_settled(last, lse[more], whole, float(best.score[-1])) else None


def _found(rows: Sequence[Any], whole: np.ndarray) -> Found:
    ids, score, logit, *heads = (np.asarray(column) for column in rows)
    return Found(ids, score.astype(np.float32), logit.astype(np.float32), heads[0] if heads else None, whole)


def numbers(text: str) -> list[float]:
    """The elements of an array of numbers in its text form."""
    return [float(item) for item in text.strip("{}").split(",")]


def search_shards(
    table: Table, arguments: Arguments, schemas: Sequence[str], wanted: Sequence[str], report: Report
) -> Iterator[Batch]:
    """The answer of `mha_search`, best rows first."""
    with report.timing("check"):
        mechanism, shards = sharding.settle(arguments, schemas, table)
    search = Search.of(arguments, table, shards)
    if arguments["queries"] is None:
        search = search.by(_query(arguments, shards, report))
    found = find(search, arguments["normaliser"], arguments, wanted, report)
    report.scored(mechanism.name, 0, 0 if found is None else len(found.ids))
    return iter(()) if found is None else _batches(found)


def _batches(found: Found) -> Iterator[Batch]:
    for part in sharding.chunks(len(found.ids)):
        columns = {
            "id": found.ids[part],
            "score": found.score[part],
            "logit": found.logit[part],
            "rank": np.arange(part.start, part.stop) + 1,
            "lse": (found.lse,),
        }
        if found.head_scores is not None:
            columns["head_scores"] = found.head_scores[part]
        yield Batch(part.stop - part.start, columns)


def _query(arguments: Arguments, shards: Sequence[Shard], report: Report) -> np.ndarray:
    """The query vector: given, or that of the row `query_id`, wherever it lies."""
    if arguments["query_id"] is None:
        query: np.ndarray = arguments["query"]
        return query
    row_id = int(arguments["query_id"])
    statement = " UNION ALL ".join(_row_statement(arguments, shard, row_id) for shard in shards)
    (_, vectors), rows = run(shards, statement, ("id", "vector"), arguments["table_name"], report)
    if rows != 1:
        raise AttentionError(
            f"query_id {row_id} is in {rows} rows with a vector of {arguments['table_name']} over all shards",
            hint="Name a row that is there once, or give the vector as query.",
        )
    vector: np.ndarray = np.asarray(vectors)[0]
    return vector


def _row_statement(arguments: Arguments, shard: Shard, row_id: int) -> str:
    """The SELECT of one row's vector, from the shard's relation, which must have been imported too."""
    name = re.split(r'\.(?=(?:[^"]*"[^"]*")*[^"]*$)', arguments["table_name"])[-1]
    local = f"{quote(shard.schema)}.{name}"
    if host_api.relation(local) is None:
        raise AttentionError(
            f"query_id needs {arguments['table_name']} of {shard.label}, but {local} does not exist",
            sqlstate=NO_SUCH_RELATION,
            hint=f"IMPORT FOREIGN SCHEMA ... LIMIT TO ({name}) FROM SERVER {quote(shard.server)} "
            f"INTO {quote(shard.schema)}; or give the vector as query.",
        )
    source = resolve(local, arguments["id_column"], arguments["vector_column"])
    id_column, vector_column = (f"f.{quote(column)}" for column in (source.id_column, source.vector_column))
    relation = f"{quote(source.schema)}.{quote(source.name)}"
    return f"{START}, {vector_column} FROM {relation} AS f WHERE {id_column} OPERATOR(pg_catalog.=) {row_id}"


def details(table: Table, arguments: Arguments, schemas: Sequence[str]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE) about `mha_search` over shards."""
    shards = sharding.planned_shards(arguments, schemas, table)
    search = Search.of(arguments, table, shards)
    if arguments["queries"] is None:
        given = arguments["query"] if arguments["query_id"] is None else Unknown("query_id")
        search = search.by(given)
    return two_rounds(search)


def two_rounds(search: Search) -> list[tuple[str, object]]:
    """What both rounds send, the second with a normaliser that is not known yet."""
    return sharding.planned(search.shards, [search.first(), search.second(Unknown("normaliser"))])
