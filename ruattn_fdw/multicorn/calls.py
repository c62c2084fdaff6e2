"""SQL functions on Multicorn2, which runs nothing but foreign tables: each asks a table for its value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ruattn_fdw import functions
from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.errors import INVALID_PARAMETER, AttentionError, choices
from ruattn_fdw.functions.declaration import VECTOR, Argument, Function
from ruattn_fdw.handler import AttentionTable, Batch
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.report import Report
from ruattn_fdw.source.batch import python_values

CALL = Table(
    name="ruattn_call",
    help="What the SQL functions run: one row for each value of the function.",
    results=(Result("result", "text", "the value in its text form, a row as a JSON object"),),
    parameters=(
        Parameter("function", "text", "name of the function", required=True),
        Parameter("arguments", "text", "its arguments as a JSON array", required=True),
    ),
    example="SELECT result FROM ruattn_call WHERE function = 'ruvector_softmax' AND arguments = '[[1, 2]]'",
)

ANY_TYPES = ("anycompatiblearray", "text", "jsonb")
"""Overloads of a function that takes vectors and matrices in any spelling."""

EXACTLY = {"real[]": "::pg_catalog.float8[]"}
"""Casts to types whose digits in JSON are those of the value."""

RECORD = "SETOF record"
"""What an SQL function cannot return: the caller's column list decides the types."""

TABLE = "TABLE "


class Call(AttentionTable):
    """Runs one function."""

    declaration = CALL

    def scan(
        self, arguments: Arguments, wanted: Sequence[str], memo: dict[str, Any], report: Report
    ) -> Iterator[Batch]:
        """Call it."""
        values = json.loads(arguments["arguments"])
        function = _find(arguments["function"], len(values))
        given = [_given(argument, value) for argument, value in zip(function.arguments, values, strict=True)]
        value = function.run(*given)
        if not function.returns.startswith(TABLE):
            return iter([Batch(1, {"result": [_text(value, function.returns)]})])
        names = [column.split()[0].strip('"') for column in _columns(function).split(", ")]
        return (Batch(rows, {"result": _objects(names, columns, rows)}) for rows, columns in value)


def body(function: Function, types: Sequence[str]) -> str:
    """What CREATE FUNCTION says after the signature.

    The arguments become text by a function, not by a cast: of a cast Multicorn2 does not know the type.
    """
    values = ", ".join(f"${place}{EXACTLY.get(name, '')}" for place, name in enumerate(types, 1))
    call = (
        f"@extschema@.{CALL.name} AS c WHERE c.function = '{function.name}' "
        f"AND c.arguments = pg_catalog.jsonb_pretty(pg_catalog.jsonb_build_array({values}))"
    )
    if function.returns.startswith(TABLE):
        rows = f"pg_catalog.jsonb_to_record(c.result::pg_catalog.jsonb) AS r({_columns(function)})"
        statement = f"SELECT r.* FROM {call.replace(' WHERE', f', LATERAL {rows} WHERE', 1)}"
    else:
        statement = f"SELECT c.result::{function.returns} FROM {call}"
    return f"AS $call${statement}$call$ LANGUAGE sql"


def _find(name: str, count: int) -> Function:
    """The function of that name with so many arguments."""
    for function in functions.FUNCTIONS.values():
        if function.name == name and len(function.arguments) == count:
            return function
    raise AttentionError(
        f'there is no function "{name}" of {count} arguments',
        sqlstate=INVALID_PARAMETER,
        hint=choices(name, functions.FUNCTIONS, "functions"),
    )


def _given(argument: Argument, value: Any) -> Any:
    """An argument as the bundled host gives it: a vector in the precision that it was given in."""
    if argument.type != VECTOR or not isinstance(value, list) or None in value:
        return value
    vector = np.array(value, np.float64)
    with np.errstate(over="ignore"):
        single = vector.astype(np.float32)
    return single if np.array_equal(single, vector, equal_nan=True) else vector


def _columns(function: Function) -> str:
    """The columns of a function that returns a table, as in SQL."""
    return function.returns.removeprefix(TABLE)[1:-1]


def _objects(names: Sequence[str], columns: Sequence[Any], rows: int) -> list[str]:
    values = [python_values(column, rows) for column in columns]
    return [json.dumps(dict(zip(names, map(_plain, row), strict=True))) for row in zip(*values, strict=True)]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _text(value: Any, type_name: str) -> str | None:
    """The text form of a value of that type."""
    plain = _plain(value)
    if plain is None or isinstance(plain, str):
        return plain
    # what is too small for the type is zero, not an error
    text = json.dumps(np.float32(plain).item() if type_name == "real" else plain)
    return text if isinstance(plain, dict) else text.translate(str.maketrans("[]", "{}"))
