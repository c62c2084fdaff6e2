"""The table `attention_types`: every mechanism that the registry holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ruattn_fdw import features
from ruattn_fdw.declaration import Result, Table
from ruattn_fdw.handler import AttentionTable, Batch, Cost
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report

TYPES = Table(
    name="attention_types",
    help="Every attention mechanism, what it computes, what it takes and where it works.",
    results=(
        Result("name", "text", "name to give as attention_type"),
        Result("aliases", "text[]", "other names for it"),
        Result("family", "text", "group of mechanisms that it belongs to"),
        Result("feature", "text", "feature set that it belongs to"),
        Result("complexity", "text", "time for one query over n rows"),
        Result("memory", "text", "extra memory for one query over n rows"),
        Result("best_for", "text", "what it is good for"),
        Result("formula", "text", "what it computes"),
        Result("parameters", "jsonb", "JSON schema of options"),
        Result("operations", "text[]", "tables and functions that take it"),
        Result(
            "weight_kind", "text", "D: a distribution, D0: one with exact zeros, S: signed or unnormalised"
        ),
        Result(
            "scope",
            "text",
            "what a logit depends on: P one pair, SET all rows, GRAPH edges, BATCH all queries",
        ),
        Result("available", "boolean", "whether it can be used here"),
        Result("reason", "text", "why it cannot be used here, NULL where it can"),
        Result("reference", "text", "paper"),
    ),
    example="SELECT name, complexity, best_for FROM attention_types",
)


def describe(mechanism: Mechanism) -> dict[str, Any]:
    """One row of the table."""
    row = {column.name: getattr(mechanism, column.name, None) for column in TYPES.results}
    reason = features.reason(mechanism)
    return row | {
        "aliases": list(mechanism.aliases),
        "operations": list(mechanism.operations),
        "parameters": registry.json_schema(mechanism),
        "available": reason is None,
        "reason": reason,
    }


class AttentionTypes(AttentionTable):
    """The registry as rows."""

    declaration = TYPES

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """List the registry."""
        rows = [describe(mechanism) for mechanism in registry.MECHANISMS]
        return iter([Batch(len(rows), {name: [row[name] for row in rows] for name in wanted})])

    def cost(self, arguments: Arguments) -> Cost:
        """One row for each mechanism."""
        count = len(registry.MECHANISMS)
        return Cost(count, 0.1, 0.1 + 0.01 * count)
