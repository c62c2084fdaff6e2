"""Answers of shards beside those over all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.shards.cluster import Cluster, literal

SCHEMAS = '["s1", "s2", "s3"]'
SHARDS = f"options = '{{\"shards\": {SCHEMAS}}}'"
QUERY = f"query = {literal(np.cos(np.arange(8)))}"
DOCS = "table_name = 'public.docs'"


def both(cluster: Cluster, statement: str, options: str = "") -> tuple[list[Any], list[Any]]:
    """The rows that shards give to a statement that ends with its WHERE, and those over all rows here."""
    given = f", {options}" if options else ""
    sharded = f"{statement} AND options = '{{\"shards\": {SCHEMAS}{given}}}'"
    whole = f"{statement} AND options = '{{{options}}}'"
    return cluster.db.execute(sharded.encode()).fetchall(), cluster.db.execute(whole.encode()).fetchall()


def assert_alike(found: tuple[list[Any], list[Any]], some: bool = True, near: float = 1e-30) -> None:
    """The same rows in the same order, every number to 1e-6 relative, or `near` to the other."""
    answer, expected = found
    assert len(answer) == len(expected)
    assert bool(expected) == some
    for ours, theirs in zip(answer, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            if one is None or isinstance(one, str):
                assert one == other
            else:
                np.testing.assert_allclose(np.array(one, float), np.array(other, float), rtol=1e-6, atol=near)
