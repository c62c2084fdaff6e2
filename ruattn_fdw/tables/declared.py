"""What attention indexes declare of their columns: the defaults of searches there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ruattn_fdw import host_api
from ruattn_fdw.errors import AttentionError
from ruattn_fdw.host_records import IndexInfo
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.errors import KernelError
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.source.relation import choose_vector_column

AMBIGUOUS = "22023"


def put_in_effect(
    arguments: Arguments, operation: str, table: str = "table_name", column: str = "vector_column"
) -> None:
    """Take what an index on the column declares, where neither the query nor an OPTION says otherwise.

    table and column: the parameters that name them. A mechanism is only taken where the operation takes it,
    and a number of heads only with the mechanism that it was declared for. AttentionError where indexes
    declare different things.
    """
    if arguments.is_given("attention_type") and arguments.is_given("num_heads"):
        return
    indexes = _indexes(arguments, operation, table, column)
    if not indexes:
        return
    if not arguments.is_given("attention_type"):
        declared = _agreed(indexes, "attention_type", lambda index: index.attention_type)
        if declared is not None:
            arguments.declare("attention_type", declared)
    if not arguments.is_given("num_heads"):
        mechanism = _find(arguments["attention_type"])
        fitting = [index for index in indexes if mechanism is not None and _is_for(index, mechanism)]
        heads = _agreed(fitting, "num_heads", lambda index: _heads(index, arguments))
        if heads is not None:
            arguments.declare("num_heads", heads)


def _indexes(arguments: Arguments, operation: str, table: str, column: str) -> list[IndexInfo]:
    """The valid indexes on the column whose mechanism, if they declare one, the operation takes."""
    name = arguments.known(table)
    relation = host_api.relation(name) if name is not None else None
    if relation is None or relation.relkind not in "rpm":
        return []
    vector_column = arguments.known(column)
    if vector_column is None:
        try:
            vector_column = choose_vector_column(relation.name, host_api.columns(relation.oid), None)
        except AttentionError:
            return []
    found = host_api.indexes(relation.oid, vector_column, None)
    return [index for index in found if index.valid and _works(index, operation)]


def _works(index: IndexInfo, operation: str) -> bool:
    if index.attention_type is None:
        return True
    mechanism = _find(index.attention_type)
    return mechanism is not None and operation in mechanism.operations


def _is_for(index: IndexInfo, mechanism: Mechanism) -> bool:
    """Whether the heads that an index declares are meant for this mechanism."""
    if index.attention_type is None:
        return mechanism.multi_head_family
    declared = _find(index.attention_type)
    return declared is not None and declared.name == mechanism.name


def _heads(index: IndexInfo, arguments: Arguments) -> int | None:
    """The number of heads, which the size of one settles where the query's is known."""
    if index.num_heads:
        return index.num_heads
    query = arguments.known("query") if "query" in arguments else None
    if not index.head_dim or query is None or len(query) % index.head_dim:
        return None
    return len(query) // index.head_dim


def _agreed(indexes: Sequence[IndexInfo], name: str, declares: Callable[[IndexInfo], Any]) -> Any:
    """What all of the indexes that declare something declare, None where none does."""
    declared = {index.name: declares(index) for index in indexes if declares(index) is not None}
    if len(set(declared.values())) > 1:
        listed = ", ".join(f"{index} {value}" for index, value in sorted(declared.items()))
        raise AttentionError(
            f"attention indexes declare different values of {name}: {listed}",
            sqlstate=AMBIGUOUS,
            hint=f"Give {name} in the query, or drop all but one of the indexes.",
        )
    return next(iter(declared.values()), None)


def _find(name: object) -> Mechanism | None:
    """The mechanism of that name, None where it is not known (yet)."""
    try:
        return registry.find(name) if isinstance(name, str) else None
    except KernelError:
        return None
