"""`attention` over shards: the output over all rows is a weighted sum of what each gives over its own.

The entropy takes a second round, in which each shard adds what its rows have under the common log-sum-exp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.kernels.merge import merge_outputs
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import own_options
from ruattn_fdw.source.asking_shards import Question, ask
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.literals import Condition
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharding import numbers
from ruattn_fdw.values import Unknown

PASSED_ON = (
    "table_name", "id_column", "vector_column", "value_column", "order_column", "position",
    "attention_type", "num_heads", "temperature", "candidates", "model",
)  # fmt: skip
SETTLED = ("id_column", "vector_column", "value_column", "num_heads")
NAMES = {name: name for name in PASSED_ON}
EMPTY: dict[str, Any] = {"output": (None,), "entropy": (None,), "lse": (None,)}


@dataclass(frozen=True)
class Asking:
    """What the shards are asked. query: a vector, or several (m, d) that go together. heads: their number
    where a model has none of its own."""

    table: Table
    shards: Sequence[Shard]
    conditions: Sequence[Condition]
    options: Mapping[str, Any]
    query: np.ndarray | Unknown
    queries: int
    heads: int | None

    @staticmethod
    def of(arguments: Arguments, table: Table, shards: Sequence[Shard], query: Any, queries: int) -> Asking:
        """What these parameters mean for so many queries."""
        given = sharding.passed_on(arguments, table, NAMES)
        heads = sharding.heads_beside_model(arguments)
        return Asking(table, shards, given, own_options(arguments), query, queries, heads)

    def first(self) -> Question:
        """The first round: output and log-sum-exp over the rows of each."""
        return self._question(("output", "lse", *SETTLED))

    def second(self, normaliser: Sequence[float]) -> Question:
        """The second: what the rows of each add to the entropy."""
        return self._question(("entropy",), normaliser)

    def _question(self, columns: Sequence[str], normaliser: Sequence[float] | None = None) -> Question:
        asked = (self.table, columns, self.conditions, self.options, self.query, self.queries)
        return Question(*asked, normaliser, self.heads)


def attend_shards(
    table: Table,
    arguments: Arguments,
    schemas: Sequence[str],
    queries: Rows,
    named: bool,
    wanted: Sequence[str],
    report: Report,
) -> Iterator[Batch]:
    """The outputs of the queries, in their order; named: they are rows, whose ids are shown."""
    with report.timing("check"):
        mechanism, shards = sharding.settle(arguments, schemas, table)
    report.scored(mechanism.name, 0, len(queries))
    for start, some in sharding.blocks(queries, None):
        asking = Asking.of(arguments, table, shards, some, len(some))
        columns = _attended(asking, arguments, "entropy" in wanted, report)
        places = np.arange(start, start + len(some))
        columns["query_id"] = queries.shown_ids(places) if named else (None,)
        yield Batch(len(some), columns)


def _attended(asking: Asking, arguments: Arguments, entropy: bool, report: Report) -> dict[str, Any]:
    """The result columns of some queries; all are NULL where no shard has a row."""
    kinds = ("vector", "text", *("text" for _ in SETTLED))
    (outputs, texts, *settled), oids = ask(asking.shards, asking.first(), kinds, "output", report)
    if not texts:
        return dict(EMPTY)
    sharding.put_in_effect(arguments, NAMES, dict(zip(SETTLED, settled, strict=True)))
    lse = _by_shard(np.array([numbers(text) for text in texts]), oids, asking)
    whole = sharding.whole_lse(lse)
    if arguments["model"] is not None and lse.shape[-1] > 1:
        raise AttentionError(
            f"attention over shards takes no model of {lse.shape[-1]} heads",
            sqlstate=NOT_SUPPORTED,
            hint="Its projection of the output would mix heads that the shards have not merged yet.",
        )
    return {
        "output": merge_outputs(lse, _by_shard(np.asarray(outputs), oids, asking)),
        "entropy": _entropies(asking, whole, report) if entropy else (None,),
        "lse": whole,
    }


def _by_shard(rows: np.ndarray, oids: np.ndarray, asking: Asking) -> np.ndarray:
    """Rows (r, ...) of shard after shard, query after query within each, as (S, m, ...)."""
    # in the order of the shards, not of their arrival: sums depend on it in their last digit
    order = np.concatenate([np.flatnonzero(oids == shard.oid) for shard in asking.shards])
    parts: np.ndarray = rows[order].reshape(-1, asking.queries, *rows.shape[1:])
    return parts


def _entropies(asking: Asking, whole: np.ndarray, report: Report) -> np.ndarray:
    """The entropy of each query (m,), for its log-sum-exps (m, H)."""
    (shares,), oids = ask(
        asking.shards, asking.second(whole.reshape(-1).tolist()), ("float",), "entropy", report
    )
    # a shard without rows has NULL
    entropies: np.ndarray = np.nansum(_by_shard(np.asarray(shares), oids, asking), axis=0).astype(np.float32)
    return entropies


def details(table: Table, arguments: Arguments, schemas: Sequence[str]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE): the first round, for as many queries as go together at most."""
    shards = sharding.planned_shards(arguments, schemas, table)
    query, most = arguments["query"], 1
    if query is None:
        query, most = Unknown("rows of query_table"), sharding.queries_at_once(None)
    return sharding.planned(shards, [Asking.of(arguments, table, shards, query, most).first()])
