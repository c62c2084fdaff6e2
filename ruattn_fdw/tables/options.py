"""OPTIONS of a user's own foreign table, checked when the table is created."""

from __future__ import annotations

from collections.abc import Mapping

from ruattn_fdw.declaration import Table
from ruattn_fdw.errors import INVALID_OPTION, MISSING_OPTION, AttentionError, choices
from ruattn_fdw.handler import AttentionTable
from ruattn_fdw.layout import Layout
from ruattn_fdw.parameters import OPERATION, Arguments, is_locked, read_options
from ruattn_fdw.tables import TABLES, shared


def check_options(table: Table, options: Mapping[str, str]) -> None:
    """Raise unless every OPTION exists, has a value of its type and range, and fits the others.

    Ids are not looked at: the columns of the table, which say what type they have, are not known here.
    """
    table = Layout(table, {}, options).table
    is_locked(options)
    arguments = Arguments(table, read_options(table, options), {})
    for name in options:
        for other in table.alternatives(name):
            if other in options:
                raise AttentionError(
                    f"{name} and {other} are both fixed, only one can be",
                    hint="Leave one of them out of OPTIONS.",
                )
    if "attention_type" in options:
        mechanism = shared.find_mechanism(options["attention_type"], table.name)
        if "model" not in options:
            shared.kernel_settings(mechanism, arguments)


def find_handler(options: Mapping[str, str]) -> type[AttentionTable]:
    """The handler that the OPTION `operation` names."""
    name = options.get(OPERATION)
    if name is None:
        raise AttentionError(
            'the option "operation" is missing',
            sqlstate=MISSING_OPTION,
            hint=choices("", TABLES, "operations"),
        )
    if name not in TABLES:
        raise AttentionError(
            f'there is no operation "{name}"',
            sqlstate=INVALID_OPTION,
            hint=choices(name, TABLES, "operations"),
        )
    return TABLES[name]
