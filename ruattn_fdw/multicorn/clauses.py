"""The clauses of a query as Multicorn2 hands them over, made into runs with one value for each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from ruattn_fdw.contract import Qual
from ruattn_fdw.declaration import Parameter, Table
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.values import Unknown

FDW_ERROR = "HV000"
UNEVALUATED = "?"
TRUE = {"=": True, "IS": True, "<>": False, "IS NOT": False}


def runs(table: Table, quals: Sequence[Qual]) -> list[list[Qual]]:
    """The quals of each run, all with `=` and a value; none where a parameter is compared with NULL.

    A list of values means a run for each of them, several lists one for each combination.
    """
    choices: dict[str, list[Any]] = {}
    for qual in quals:
        parameter = table.parameter(qual.field_name)
        if parameter is not None:
            choices.setdefault(qual.field_name, _values(table, parameter, qual))
    return [
        [Qual(name, "=", value) for name, value in zip(choices, values, strict=True)]
        for values in product(*choices.values())
    ]


def constants(table: Table, quals: Sequence[Qual]) -> list[Qual]:
    """Quals whose values the planner knows, one for each parameter; NULL among them is IS NULL."""
    for qual in quals:
        is_null_test = qual.value is None and not qual.is_list_operator
        if is_null_test and table.parameter(qual.field_name) is not None:
            raise _refused(table, qual.field_name)
    found = runs(table, quals)
    return found[0] if found else []


def shown(table: Table, quals: Sequence[Qual]) -> list[Qual]:
    """Quals for EXPLAIN, where a value that is not known yet looks like a question mark or a zero."""
    return [
        Qual(
            qual.field_name, "=", Unknown(UNEVALUATED) if qual.value in (UNEVALUATED, 0, "0") else qual.value
        )
        for run in runs(table, quals)[:1]
        for qual in run
    ]


def missing(table: Table, group: Sequence[str]) -> AttentionError:
    """The error for a group of parameters of which none has arrived, as when a join shall supply one."""
    names = " or ".join(f'"{name}"' for name in group)
    return AttentionError(
        f"{table.name} needs a value for its parameter {names}",
        sqlstate=FDW_ERROR,
        detail='A parameter is a column compared with "=" in WHERE.',
        hint=f"{table.hint} Where the value comes from another table, write CROSS JOIN LATERAL "
        f"(SELECT ... FROM {table.name} WHERE ... OFFSET 0).",
    )


def _values(table: Table, parameter: Parameter, qual: Qual) -> list[Any]:
    if qual.is_list_operator:
        if not isinstance(qual.value, (list, type(None))) or tuple(qual.operator) != ("=", True):
            raise _refused(table, parameter.name)
        return list(dict.fromkeys(value for value in qual.value or () if value is not None))
    if parameter.type == "boolean" and qual.operator in TRUE and qual.value is not None:
        return [(qual.value in (True, "t")) == TRUE[qual.operator]]
    if qual.operator != "=":
        raise _refused(table, parameter.name)
    return [] if qual.value is None else [qual.value]


def _refused(table: Table, name: str) -> AttentionError:
    return AttentionError(
        f'parameter "{name}" of {table.name} can only be compared with "="',
        sqlstate=NOT_SUPPORTED,
        hint=table.hint,
    )
