"""Users' own foreign tables: some parameters fixed as OPTIONS, ids of other types, columns of the source."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ruattn_fdw.declaration import Parameter, Result
from tests.fuzz.choices import USUAL
from tests.fuzz.pieces import Piece, literal, quoted
from tests.fuzz.query import Clause, Query

OTHER_IDS = {
    "uuid": ("uuid_ids", "md5('7')::uuid", "ARRAY[md5('7')::uuid, md5('9')::uuid]"),
    "text": ("text_ids", "'it''s \"7'", "ARRAY['it''s \"7', 'it''s \"9']"),
}
"""A type of ids: a relation that has such, one of them, and an array of some."""
ID_TYPES = (*["bigint", "uuid", "text"] * 2, "int", "smallint", "numeric", "text[]", "jsonb")
ODD_OPTIONS = (("locked", "true"), ("locked", "maybe"), ("nothing", "1"), ("id_column", "id"))
MORE_COLUMNS = ("title text", "n int", "embedding real[]", "nothing int", "flag text", "at timestamptz")


def owned(random: Random, query: Query) -> Query:
    """The query over a table of that kind."""
    ids = random.choice(ID_TYPES)
    clauses = tuple(with_ids(query, clause, ids) for clause in query.clauses)
    fixed = [c for c in clauses if literal(c.value) is not None and c.form.legal and random.random() < 0.5]
    options = [("operation", query.table.name), *((c.column, str(literal(c.value))) for c in fixed)]
    if random.random() < 0.1:
        options.append(random.choice(ODD_OPTIONS))
    left = tuple(clause for clause in clauses if clause not in fixed)
    used = {clause.column for clause in left}
    wanted = [c for c in query.table.columns() if c.name in used or random.random() < 0.9]
    columns = [column_of(random, column, ids) for column in wanted]
    if random.random() < 0.2:
        columns += random.sample(MORE_COLUMNS, 2)
    return replace(
        query,
        name="mine_own",
        options=tuple(options),
        columns=tuple(columns),
        clauses=left,
        # what an OPTION fixes may leave as little as a clause does
        filters=("true",) if any(clause.empties for clause in fixed) else (),
    )


def with_ids(query: Query, clause: Clause, ids: str) -> Clause:
    """A sound clause about relations or ids, where these have another type."""
    parameter = query.table.parameter(clause.column)
    if ids not in OTHER_IDS or parameter is None:
        return clause
    relation, one, some = OTHER_IDS[ids]
    if literal(clause.value) in USUAL and "edge" not in clause.column:
        return replace(clause, value=Piece(quoted(relation)))
    if parameter.id_of is None:
        return clause
    array = "[]" if parameter.type.endswith("[]") else ""
    return replace(clause, value=Piece(some if array else one), type=ids + array)


def column_of(random: Random, column: Result | Parameter, ids: str) -> str:
    """A column, of its own type but for ids, and now and then of another."""
    kind = column.type
    if getattr(column, "named_by", None) or getattr(column, "id_of", None):
        kind = f"{ids}[]" if kind.endswith("[]") else ids
    if random.random() < 0.02:
        kind = random.choice(["text", "int", "bytea", "real", "real[]", "text[]"])
    return f'"{column.name}" {kind}'
