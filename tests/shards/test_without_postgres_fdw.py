"""On a database without postgres_fdw, shards are refused with what to install."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

SEARCH = "SELECT id FROM mha_search WHERE table_name = 'public.docs' AND query = '{1,2}'"


def test_it_is_said_what_is_missing(
    db: psycopg.Connection[Any], failure: Callable[..., psycopg.Error]
) -> None:
    error = failure(db, f'{SEARCH} AND options = \'{{"shards": ["s1"]}}\'')
    assert error.sqlstate == "0A000"
    assert error.diag.message_primary == "shards are reached by postgres_fdw, which this database has not"
    assert str(error.diag.message_hint).startswith("CREATE EXTENSION postgres_fdw")
