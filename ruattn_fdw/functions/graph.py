"""Functions over graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ruattn_fdw.functions.declaration import Argument, Function
from ruattn_fdw.functions.search import READS_TABLES, run_table

MOST = 2**31 - 1


def search_neighbours(
    node_table: str, edge_table: str, query_node_id: int, num_heads: int, k: int
) -> Iterator[tuple[int, list[Any]]]:
    """The k best rows of gat_search less the query node, which has its share of the scores."""
    batches = run_table(
        "gat_search",
        ("node_id", "attention_score"),
        node_table=node_table,
        edge_table=edge_table,
        query_node_id=query_node_id,
        num_heads=num_heads,
        k=k + 1 if 0 < k < MOST else k,
    )
    for _, columns in batches:
        others = np.flatnonzero(columns[0] != query_node_id)[:k]
        yield len(others), [column[others] for column in columns]


FUNCTIONS = (
    Function(
        name="ruvector_gat_search",
        help="The neighbours of a node by the attention that it pays to them: gat_search without the node.",
        arguments=(
            Argument("node_table", "text"),
            Argument("edge_table", "text"),
            Argument("query_node_id", "bigint"),
            Argument("num_heads", "integer", "4"),
            Argument("k", "integer", "10"),
        ),
        returns="TABLE (node_id bigint, attention_score real)",
        run=search_neighbours,
        rows=10,
        **READS_TABLES,
    ),
)
