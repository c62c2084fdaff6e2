"""The table `attention_stats`: how often searches ran in this database, over what, and what they cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from ruattn_fdw import host_api, usage
from ruattn_fdw.declaration import Result, Table
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report

STATS = Table(
    name="attention_stats",
    help="How often searches ran in this database since the server started, and what they cost.",
    results=(
        Result(
            "operation", "text", "table that was searched, also by a function or a foreign table of yours"
        ),
        Result("attention_type", "text", "mechanism, NULL where the operation knows none"),
        Result("relation", "regclass", "relation that the keys came from, NULL for vectors that were given"),
        Result("calls", "bigint", "searches that ended without an error, each rescan of a join one"),
        Result("rows_scored", "bigint", "rows that they were over, anew for each row that asked"),
        Result("cache_hits", "bigint", "searches that found all they read in copies that were current"),
        Result("ms_read", "double precision", "milliseconds in reading rows"),
        Result("ms_check", "double precision", "milliseconds in proving what of a copy may be used"),
        Result("ms_kernel", "double precision", "milliseconds in computing"),
        Result("ms_emit", "double precision", "milliseconds in handing over the answers"),
        Result("last_call", "timestamptz", "when the last of them ended"),
    ),
    example="SELECT operation, relation, calls, ms_kernel / calls FROM attention_stats",
)

SEES_ALL = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')::pg_catalog.text"


class AttentionStats(AttentionTable):
    """The caller's own searches, for members of pg_read_all_stats those of all roles."""

    declaration = STATS

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """List the searches, most called first."""
        found = [_described(of, figures) for of, figures in _visible().items()]
        rows = sorted(found, key=lambda row: -row["calls"])
        return iter([Batch(len(rows), {name: [row[name] for row in rows] for name in wanted})])


def _visible() -> dict[tuple[str, str, int], list[usage.Figures]]:
    """By operation, mechanism and relation, what the caller may see of this database, of each role."""
    database, role = host_api.caller()
    (answer,), _, _ = host_api.select(SEES_ALL, ("text",))
    found = defaultdict(list)
    for searches, figures in usage.entries():
        if searches.database == database and (searches.role == role or answer == ["true"]):
            found[searches.operation, searches.attention_type, searches.relation].append(figures)
    return found


def _described(of: tuple[str, str, int], figures: list[usage.Figures]) -> dict[str, Any]:
    """One row of the table: the sums over the roles."""
    operation, attention_type, relation = of
    *sums, last_calls = zip(*figures, strict=True)
    return dict(zip(usage.Figures._fields, map(sum, sums), strict=False)) | {
        "operation": operation,
        "attention_type": attention_type or None,
        "relation": str(relation) if relation else None,
        "last_call": datetime.fromtimestamp(max(last_calls), timezone.utc).isoformat(),
    }
