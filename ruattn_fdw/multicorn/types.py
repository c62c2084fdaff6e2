"""The SQL types of parameters on Multicorn2, which takes what it has not evaluated yet for a value.

For EXPLAIN it calls the output function of a parameter's type on nothing. Text is safe, and so is what is
passed by value; an array, jsonb or uuid ends the server. So arrays and jsonb are attention_vector there, a
text that can be compared with them, and ids that are no integers are text.
"""

from __future__ import annotations

from collections.abc import Mapping

from ruattn_fdw.declaration import Parameter, Result, Table
from ruattn_fdw.errors import DATATYPE_MISMATCH, AttentionError

VECTOR_TYPE = "attention_vector"
BY_VALUE = ("smallint", "integer", "bigint", "real", "double precision", "boolean")
SAFE = ("text", "character varying", *BY_VALUE)


def sql_type(column: Result | Parameter) -> str:
    """The type of a column in the extension's script."""
    return column.type if isinstance(column, Result) else parameter_type(column.type)


def parameter_type(type_name: str) -> str:
    """What stands there for a parameter of this type."""
    if type_name in SAFE:
        return type_name
    is_document = type_name.endswith("[]") or type_name in ("jsonb", VECTOR_TYPE)
    return VECTOR_TYPE if is_document else "text"


def check_types(table: Table, types: Mapping[str, str]) -> None:
    """Raise for a parameter's column whose type is not safe."""
    for name, type_name in types.items():
        parameter = table.parameter(name)
        if parameter is None or type_name in SAFE or type_name.rpartition(".")[2] == VECTOR_TYPE:
            continue
        instead = parameter_type(type_name)
        raise AttentionError(
            f'parameter "{name}" has type {type_name}, with Multicorn2 it must be {instead}',
            sqlstate=DATATYPE_MISMATCH,
            hint=f"ALTER FOREIGN TABLE ... ALTER COLUMN {name} TYPE {instead};",
        )
