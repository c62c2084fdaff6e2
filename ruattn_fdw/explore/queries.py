"""What the page asks: what there is to search, rows to start from, and a search with its plan and its SQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from psycopg import ClientCursor, sql
from psycopg.rows import dict_row

from ruattn_fdw.asking import Connection, Search, Values, find_relation, identifier, relations
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.tables.mha_search import SEARCH

Body = dict[str, Any]

MOST_ROWS, DEFAULT_K = 200, 10
SUGGESTIONS = 12
COLUMNS = ("rank", "id", "score", "logit", "head_scores")
NUMBERS: dict[str, Callable[[str], float]] = {"integer": int, "bigint": int, "double precision": float}

MECHANISMS = """
SELECT name, family, best_for, formula FROM attention_types
WHERE  available AND 'mha_search' = ANY (operations)
"""
# what a session without our search_path must be told first
PATH = "SELECT setting FROM pg_settings WHERE name = 'search_path' AND setting <> reset_val"


def catalogue(connection: Connection, body: Body) -> Body:
    """Where the page is, the relations with vectors, the mechanisms, and the parameters of a search."""
    with connection.cursor(row_factory=dict_row) as cursor:
        where = cursor.execute("SELECT current_database() AS database, current_user AS role").fetchone() or {}
        mechanisms = cursor.execute(MECHANISMS).fetchall()
    return {
        **where,
        "relations": [asdict(relation) for relation in relations(connection)],
        "mechanisms": mechanisms,
        "parameters": [
            {"name": p.name, "type": p.type, "help": p.help, "status": p.status} for p in SEARCH.parameters
        ],
        "k": DEFAULT_K,
    }


def rows(connection: Connection, body: Body) -> Body:
    """The first rows whose label, or id where there is none, has this text in it; none without ids."""
    relation = find_relation(connection, body["table_name"])
    if relation is None or relation.id_column is None:
        return {"rows": []}
    row_id = identifier(relation.id_column)
    label = identifier(body["label"]) if body.get("label") else row_id
    statement = sql.SQL(
        "SELECT d.{id}::text AS id, d.{label}::text AS label FROM {relation} d"
        " WHERE pg_catalog.strpos(pg_catalog.lower(d.{label}::text), pg_catalog.lower(%(text)s)) > 0"
        " OR d.{id}::text = %(text)s LIMIT %(most)s"
    ).format(id=row_id, label=label, relation=relation.identifier)
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement, {"text": body.get("text", ""), "most": SUGGESTIONS}).fetchall()
    return {"rows": found}


def search(connection: Connection, body: Body) -> Body:
    """The ranked rows with their weights by head, the plan of a second run, and the statement to copy."""
    values = _typed({"k": DEFAULT_K, **body["values"]})
    if isinstance(values["k"], int) and values["k"] > MOST_ROWS:
        raise AttentionError(
            f"the page shows {MOST_ROWS} rows, k is {values['k']}", hint="Copy the SQL instead."
        )
    source = find_relation(connection, values["table_name"]) if "table_name" in values else None
    asked = Search(SEARCH, values, source, body.get("label") or None)
    statement = asked.statement(COLUMNS)
    start = time.perf_counter()
    found = asked.rows(connection, COLUMNS)
    took = time.perf_counter() - start
    plan = connection.execute(sql.SQL("EXPLAIN (ANALYZE, COSTS OFF) ") + statement, values).fetchall()
    return {
        # as text: JavaScript's numbers do not hold every bigint
        "rows": [{**row, "id": str(row["id"])} for row in found],
        "milliseconds": round(1000 * took, 1),
        "explain": "\n".join(line for (line,) in plan),
        "sql": _to_copy(connection, statement, values),
    }


REQUESTS: dict[str, Callable[[Connection, Body], Body]] = {
    "catalogue": catalogue,
    "rows": rows,
    "search": search,
}


def _typed(values: Values) -> dict[str, Any]:
    """Numbers where a parameter takes one; what is no number stays text, for the server to complain of."""
    typed = dict(values)
    for parameter in SEARCH.parameters:
        to_number = NUMBERS.get(parameter.type)
        if to_number is not None and isinstance(typed.get(parameter.name), str):
            try:
                typed[parameter.name] = to_number(typed[parameter.name])
            except ValueError:
                continue
    return typed


def _to_copy(connection: Connection, statement: sql.Composed, values: Values) -> str:
    """The statement as psql takes it, the values in it."""
    text = ClientCursor(connection).mogrify(statement, values)
    path = connection.execute(PATH).fetchone()
    return f"{text};" if path is None else f"SET search_path = {path[0]};\n{text};"
