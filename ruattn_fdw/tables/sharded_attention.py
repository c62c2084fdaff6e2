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
from ruattn_fdw.kernels.merge import merge_lse, merge_outputs
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.shard_options import own_options
from ruattn_fdw.source.asking_shards import Question, ask
from ruattn_fdw.source.batch import Batch
from ruattn_fdw.source.literals import Condition
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.source.shards import Shard
from ruattn_fdw.tables import sharding
from ruattn_fdw.tables.sharded_search import numbers
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
    """What the shards are asked for one query."""

    table: Table
    shards: Sequence[Shard]
    conditions: Sequence[Condition]
    options: Mapping[str, Any]

    @staticmethod
    def of(arguments: Arguments, table: Table, shards: Sequence[Shard], query: Any) -> Asking:
        """What these parameters mean for a query vector."""
        given = [Condition("query", "attention_vector", query), *sharding.passed_on(arguments, table, NAMES)]
        return Asking(table, shards, given, own_options(arguments))

    def first(self) -> Question:
        """The first round: output and log-sum-exp over the rows of each."""
        return Question(self.table, ("output", "lse", *SETTLED), self.conditions, self.options)

    def second(self, normaliser: Sequence[float]) -> Question:
        """The second: what the rows of each add to the entropy."""
        return Question(self.table, ("entropy",), self.conditions, self.options, normaliser)


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
    for place in range(len(queries)):
        asking = Asking.of(arguments, table, shards, queries.keyset[place])
        columns = _attended(asking, arguments, "entropy" in wanted, report)
        columns["query_id"] = queries.shown_ids(np.array([place])) if named else (None,)
        yield Batch(1, columns)


def _attended(asking: Asking, arguments: Arguments, entropy: bool, report: Report) -> dict[str, Any]:
    """The result columns of one query; all are NULL where no shard has a row."""
    kinds = ("vector", "text", *("text" for _ in SETTLED))
    (outputs, texts, *settled), oids = ask(asking.shards, asking.first(), kinds, "output", report)
    if not texts:
        return dict(EMPTY)
    sharding.put_in_effect(arguments, NAMES, dict(zip(SETTLED, settled, strict=True)))
    # in the order of the shards, not of their arrival: sums depend on it in their last digit
    order = [row for shard in asking.shards for row in np.flatnonzero(oids == shard.oid)]
    lse = np.array([numbers(texts[row]) for row in order])
    whole = merge_lse(lse)
    if arguments["model"] is not None and lse.shape[1] > 1:
        raise AttentionError(
            f"attention over shards takes no model of {lse.shape[1]} heads",
            sqlstate=NOT_SUPPORTED,
            hint="Its projection of the output would mix heads that the shards have not merged yet.",
        )
    return {
        "output": merge_outputs(lse, np.asarray(outputs)[order])[None],
        "entropy": (_entropy(asking, whole, report),) if entropy else (None,),
        "lse": (whole,),
    }


def _entropy(asking: Asking, whole: np.ndarray, report: Report) -> float:
    (shares,), _ = ask(asking.shards, asking.second(whole.tolist()), ("float",), "entropy", report)
    # a shard without rows has NULL
    return float(np.nansum(np.asarray(shares)))


def details(table: Table, arguments: Arguments, schemas: Sequence[str]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE): the first round, for one of the queries."""
    shards = sharding.planned_shards(arguments, schemas, table)
    query = Unknown("a row of query_table") if arguments["query"] is None else arguments["query"]
    return sharding.planned(shards, [Asking.of(arguments, table, shards, query).first()])
