"""Searches of documents, by roles that may see all of them, some, or none."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]

GRANT = "GRANT SELECT ON documents TO ruattn_first, ruattn_second"
SEARCH = (
    "SELECT id, score, logit, lse[1] FROM mha_search WHERE table_name = '{}' AND query = '{{1,0.5,-1,0.25}}'"
    " AND num_heads = 1"
)


def search(session: Connection, table: str = "documents", clauses: str = "") -> Rows:
    """(id, score, logit, lse) of all rows that are found."""
    return session.execute(f"{SEARCH.format(table)}{clauses}".encode()).fetchall()


def refused(session: Connection, table: str = "documents", clauses: str = "") -> str:
    """The message of a search that is refused for want of a privilege."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        search(session, table, clauses)
    return str(caught.value.diag.message_primary)


def same(found: Rows, wanted: Rows) -> bool:
    """Whether two answers are the same to rounding."""
    return [row[0] for row in found] == [row[0] for row in wanted] and all(
        row[1:] == pytest.approx(other[1:], rel=1e-5) for row, other in zip(found, wanted, strict=True)
    )
