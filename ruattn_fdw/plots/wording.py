"""What was asked, in words, for the line under a title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruattn_fdw.asking import Connection, Search
from ruattn_fdw.plots.canvas import short


def asked(connection: Connection, search: Search) -> str:
    """The source and the query: `documents, asked by row 35 (owl)`."""
    assert search.table.source_row is not None
    source = search.values.get(search.table.source_row.relation)
    ids = (p.name for p in search.table.parameters if p.type == "bigint" and p.name in search.values)
    given = next(ids, None)
    if given is None:
        return f"{source}, asked by a vector"
    row_id = search.values[given]
    label = search.label_of(connection, row_id)
    return f"{source}, asked by row {row_id}" + (f" ({short(label, 4, 9)})" if label else "")


def settings(effect: Mapping[str, Any]) -> str:
    """Mechanism, heads and temperature as a row of an answer shows them."""
    heads = effect["num_heads"]
    words = [effect["attention_type"], f"{heads} head{'s' if heads > 1 else ''}"]
    if effect["temperature"] is not None:
        words.append(f"temperature {effect['temperature']:g}")
    return ", ".join(words)
