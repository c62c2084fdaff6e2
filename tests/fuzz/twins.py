"""What a simple twin says of the rows of one run of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from tests.fuzz import forms
from tests.fuzz.pieces import literal
from tests.fuzz.query import Clause, Query
from tests.fuzz.sharded import asked_shards

Rows = Sequence[Mapping[str, Any]]


def floats(value: Any) -> Iterable[float]:
    """All floats in a value, those of arrays too."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from floats(element)


def check_numbers(query: Query, rows: Rows) -> str | None:
    """No result is NaN or infinite, but for the log-sum-exp over no keys where all may be hidden."""
    for result in query.table.results:
        nothing = -math.inf if result.name == "lse" and query.mechanism.visible is not None else 0.0
        for row in rows:
            if not all(math.isfinite(number) or number == nothing for number in floats(row.get(result.name))):
                return f"{result.name} is not finite"
    return None


def check_shown(query: Query, rows: Rows) -> str | None:
    """A parameter's column shows the value that the query gives."""
    for clause in query.clauses:
        wanted = given_value(clause)
        if wanted is not None and any(row.get(clause.column, wanted) != wanted for row in rows):
            return f"{clause.column} does not show what is given"
    return None


def given_value(clause: Clause) -> int | str | None:
    """The number or text that a plain clause gives, None for other values."""
    sql = clause.value.sql
    if clause.form is forms.EQUALS and clause.type in ("integer", "bigint"):
        return int(sql) if sql.isdigit() else None
    return literal(clause.value) if clause.form is forms.EQUALS and clause.type == "text" else None


def check_order(query: Query, rows: Rows) -> str | None:
    """Rows arrive in each of the orders that the table declares."""
    for name, descending in query.table.order:
        values = [row[name] for row in rows if row.get(name) is not None]
        if all(isinstance(value, int | float) for value in values) and values != sorted(
            values, reverse=descending
        ):
            return f"{name} is out of order"
    return None


def _parts(query: Query, rows: Rows) -> list[list[Mapping[str, Any]]]:
    """The rows of each query of their own."""
    if not {"query_id", "doc_id"} <= {result.name for result in query.table.results}:
        return [list(rows)]
    if rows and "query_id" not in rows[0]:
        return []
    return [list(part) for _, part in groupby(rows, key=lambda row: row["query_id"])]


def check_ranks(query: Query, rows: Rows) -> str | None:
    """Ranks count from 1."""
    if query.table.name == "moe_route" or not rows or "rank" not in rows[0] or has_repeats(query):
        return None
    for part in _parts(query, rows):
        # a user's own table may show them as text
        if [int(row["rank"]) for row in part] != list(range(1, len(part) + 1)):
            return "ranks do not count from 1"
    return None


def has_repeats(query: Query) -> bool:
    """Whether two rows that ask may have one id, or none, so that their answers cannot be told apart."""
    return any(
        "twice" in c.value.sql or "null_ids" in c.value.sql or "column" in c.column for c in query.clauses
    )


def check_k(query: Query, rows: Rows) -> str | None:
    """There are at most k rows."""
    k = limit_of(query)
    if k is not None and not has_repeats(query) and any(len(part) > k for part in _parts(query, rows)):
        return "more than k rows"
    return None


def limit_of(query: Query) -> int | None:
    """The k that the query gives as a number."""
    given = [
        clause.value.sql for clause in query.clauses if clause.column == "k" and clause.form is forms.EQUALS
    ]
    return int(given[0]) if given and given[0].isdigit() else None


def check_sums(query: Query, rows: Rows) -> str | None:
    """The scores of all keys sum to 1 where they are a distribution."""
    given = {clause.column for clause in query.clauses}
    unusual = {"k", "normaliser", "model", "hops", "self_loops"} & given or query.options is not None
    score = next((name for name in ("score", "attention_score") if rows and name in rows[0]), None)
    if (
        score is None
        or unusual
        or "extra_float_digits = -15" in query.settings  # one digit of each score
        or query.mechanism.weight_kind == "S"
        or query.table.name in ("attention_score", "neural_rerank")
    ):
        return None
    if "attention_type" not in given or has_repeats(query):
        return None
    for part in _parts(query, rows):
        total = math.fsum(row[score] for row in part)
        if not math.isclose(total, 1, abs_tol=1e-4):
            return f"the scores sum to {total:.6f}"
    return None


def check_prefix(query: Query, cut: Rows, full: Rows) -> str | None:
    """Rows of a search with k are the first ones of the same search without."""
    if has_repeats(query):
        return None
    numbers = [result.name for result in query.table.results if result.type in ("bigint", "real")]
    pairs = zip(_parts(query, cut), _parts(query, full), strict=False)
    for few, all_rows in pairs:
        for place, (one, other) in enumerate(zip(few, all_rows, strict=False)):
            wrong = [name for name in numbers if name in one and not is_close(one[name], other[name])]
            # each shard settles its own rows by more digits than it gives
            if wrong and not (asked_shards(query) and is_tied(all_rows, place)):
                return f"{wrong[0]} differs with k"
    return None


def is_tied(rows: Rows, place: int, near: float = 1e-6) -> bool:
    """Whether the score of a row is also that of the row before or after it."""
    near_by = [row.get("score") for row in rows[max(place - 1, 0) : place + 2]]
    own = rows[place].get("score")
    return sum(is_close(score, own, near, 1e-30) for score in near_by) > 1


def is_close(one: Any, other: Any, near: float = 1e-4, near_zero: float = 1e-6) -> bool:
    """Whether two values are equal, but for rounding."""
    if not isinstance(one, float) or other is None:
        return bool(one == other)
    return math.isclose(one, other, rel_tol=near, abs_tol=near_zero)


CHECKS = (check_numbers, check_shown, check_order, check_ranks, check_k, check_sums)
