"""Which types the columns of a user's own foreign table may have for what is shown there.

A host that does not say what types columns have gives the empty text for each.
"""

from __future__ import annotations

from collections.abc import Mapping

from ruattn_fdw.declaration import INTEGER_TYPES, Table
from ruattn_fdw.errors import DATATYPE_MISMATCH, AttentionError

FLOAT_ARRAYS = ("real[]", "double precision[]", "attention_vector")
NUMBERS = (*INTEGER_TYPES, "real", "double precision", "numeric", "boolean")


def check_results(table: Table, served: Mapping[str, str], types: Mapping[str, str]) -> None:
    """Raise for a column that cannot hold the result which it shows; served: declared result by column."""
    # what ids are is not known before the source is
    declared = {result.name: result.type for result in table.results if result.named_by is None}
    for name, result in served.items():
        if types[name] and result in declared and not _holds(declared[result], types[name]):
            raise _mismatch(name, types[name], declared[result])


def check_parameters(table: Table, types: Mapping[str, str], options: Mapping[str, str]) -> None:
    """Raise for a column that cannot show a parameter's value: its default, or what an OPTION fixes."""
    for parameter in table.parameters:
        given = types.get(parameter.name)
        if not given or parameter.id_of is not None:
            continue
        is_document = parameter.type == "jsonb" or is_array(parameter.type)
        fits = _holds_document(parameter.type, given) if is_document else _holds(parameter.type, given)
        if not fits and (parameter.name in options or not is_document):
            raise _mismatch(parameter.name, given, parameter.type)


def is_array(type_name: str) -> bool:
    """Whether this is the name of an array type, of ours too."""
    return type_name.endswith("[]") or _is_floats(type_name)


def _is_floats(type_name: str) -> bool:
    return type_name.rpartition(".")[2] in FLOAT_ARRAYS


def _holds(declared: str, given: str) -> bool:
    """Whether a column of a type can hold values of the type declared."""
    if _is_floats(declared):
        return _is_floats(given)
    if declared == "text[]":
        return given == declared
    if declared == "jsonb":
        return given in ("jsonb", "json", "text")
    rounded = declared in ("real", "double precision") and given in INTEGER_TYPES
    return not (is_array(given) or rounded)


def _holds_document(declared: str, given: str) -> bool:
    """Whether a column of a type can show an array or a JSON object, at least as text."""
    if given.endswith("[]"):
        return declared != "jsonb" and _is_floats(given)
    return given not in NUMBERS


def _mismatch(name: str, given: str, declared: str) -> AttentionError:
    return AttentionError(
        f'column "{name}" has type {given}, which cannot hold values of type {declared}',
        sqlstate=DATATYPE_MISMATCH,
        hint=f"ALTER FOREIGN TABLE ... ALTER COLUMN {name} TYPE {declared};",
    )
