"""Values as constants in SQL, and conditions on columns that are made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ruattn_fdw.source.rows import quote
from ruattn_fdw.values import Unknown

VECTOR = "attention_vector"
SQL_TYPES = {
    "text": "pg_catalog.text",
    "integer": "pg_catalog.int4",
    "bigint": "pg_catalog.int8",
    "double precision": "pg_catalog.float8",
    "jsonb": "pg_catalog.jsonb",
    "real[]": "pg_catalog.float4[]",
    "double precision[]": "pg_catalog.float8[]",
    "bigint[]": "pg_catalog.int8[]",
}


class Condition(NamedTuple):
    """column = value, of a declared type; a value that is not known yet is an `Unknown`."""

    column: str
    type: str
    value: Any


class Bound(NamedTuple):
    """A value that is bound to a statement: its parameter of this number."""

    number: int


def conditions(alias: str, given: Sequence[Condition], vectors: str) -> str:
    """The conditions joined by AND; vectors: the schema of attention_vector and its operators."""
    return " AND ".join(_condition(alias, one, vectors) for one in given)


def _condition(alias: str, one: Condition, vectors: str) -> str:
    is_vector = one.type == VECTOR
    schema = quote(vectors) if is_vector else "pg_catalog"
    type_name = f"{schema}.{VECTOR}" if is_vector else SQL_TYPES[one.type]
    return f"{alias}.{quote(one.column)} OPERATOR({schema}.=) {_value(one.value, type_name)}"


def _value(value: Any, type_name: str) -> str:
    if isinstance(value, Unknown):
        # a sub-select stands in the plan as a parameter does
        return f"(SELECT NULL::{type_name})"
    text = f"${value.number}" if isinstance(value, Bound) else string(_text(value))
    return f"{text}::{type_name}"


def string(text: str) -> str:
    """A string constant, whatever standard_conforming_strings is."""
    if "\\" in text:
        return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return repr(value) if isinstance(value, float) else str(value)


def _array(array: np.ndarray) -> str:
    """An array of numbers, each with as many digits as tell it from its neighbours."""
    items = array.astype(str).tolist() if array.ndim == 1 else [_array(row) for row in array]
    return "{" + ",".join(items) + "}"
