"""Whether the answer of shards is that of one table with all their rows."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.fuzz.query import Query
from tests.fuzz.twins import Rows, floats, is_close, is_tied

NEAR = 1e-6
"""How far apart numbers may be, relative to the larger of them."""
NEAR_ZERO = {"score": 1e-30, "head_scores": 1e-30, "entropy": 1e-5}
"""And absolute: what is no weight is a sum, as exact as its largest terms are, which are single precision."""
FEW_DIGITS = "extra_float_digits = -15"
ORDERED = ("id", "doc_id", "logit", "head_scores")
"""What differs from row to row where scores are tied."""
LIMITS = ("53", "54", "57")
"""Classes of errors that more rows at once bring about."""


def check_alike(query: Query, found: Rows, expected: Rows) -> str | None:
    """What differs between the rows of shards and those of one table."""
    if len(found) != len(expected):
        return "another number of rows"
    near = 0.51 if FEW_DIGITS in query.settings else NEAR
    numbers = {result.name for result in query.table.results if result.type.startswith(("real", "double"))}
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for name in ours:
            if name == "options" or (name in numbers and isinstance(ours[name], str | bytes)):
                continue  # a number as text or bytes has all its digits
            if ours[name] is None and ours.get("output", 0) is None:
                continue  # no shard has a row to tell by
            if is_near(ours[name], theirs[name], near, NEAR_ZERO.get(name, NEAR)):
                continue
            tied = is_tied(expected, place, near) or is_last(expected, place)
            if name not in ORDERED or not tied:
                return f"{name} differs from that of one table"
    return None


def is_near(one: Any, other: Any, near: float, near_zero: float) -> bool:
    """Whether two values are equal but for rounding, which for arrays is that of the largest element."""
    if not isinstance(one, list) or not isinstance(other, list):
        return is_close(one, other, near, near_zero)
    size = max((abs(number) for number in floats(other)), default=0.0)
    near_zero = max(near_zero, near * size)
    return len(one) == len(other) and all(
        is_near(a, b, near, near_zero) for a, b in zip(one, other, strict=True)
    )


def is_last(rows: Rows, place: int) -> bool:
    """Whether no row of the same answer comes after it, which might have the same score."""
    return place + 1 == len(rows) or rows[place + 1].get("rank") == 1


def says_shard(error: psycopg.Error) -> bool:
    """Whether an error is about shards, in its message or its hint."""
    return "shard" in f"{error.diag.message_primary} {error.diag.message_hint}"
