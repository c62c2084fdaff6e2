"""Searches of shards: what every table checks before it asks them, passes on, and explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from ruattn_fdw.declaration import ANY_ID, INTEGER_TYPES, Table
from ruattn_fdw.errors import NOT_SUPPORTED, OUT_OF_RANGE, AttentionError
from ruattn_fdw.kernels.mechanism import Mechanism, parse_temperature
from ruattn_fdw.kernels.merge import merge_lse
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.source.asking_shards import Question, plan_lines
from ruattn_fdw.source.ids import as_ids
from ruattn_fdw.source.literals import Condition
from ruattn_fdw.source.rows import Rows
from ruattn_fdw.source.shards import Shard, find_shards
from ruattn_fdw.tables import shared
from ruattn_fdw.values import Unknown

FIRST, MOST = 64, 16384
"""Rows of the first batch, and of the longest."""
QUERIES, FLOATS = 256, 1 << 18
"""Queries that shards are asked together, at most, and numbers in their vectors."""
LARGEST = 2.0**31
"""Below it double precision has log-sum-exps, and so weights, to 1e-6."""
INTEGERS = "Give the rows integers that are unique over all shards, and name them as id_column."


def settle(arguments: Arguments, schemas: Sequence[str], table: Table) -> tuple[Mechanism, list[Shard]]:
    """The mechanism and the shards that have this table, checked, with the defaults put in effect."""
    operation = arguments.table.name
    mechanism = shared.find_mechanism(arguments["attention_type"], operation)
    with shared.kernel_errors():
        options = shared.mechanism_options(mechanism, arguments)
        parse_temperature(mechanism, arguments.known("temperature"))
    if not mechanism.merges(operation, options):
        raise AttentionError(
            f"{mechanism.name} cannot be asked of shards in {operation}",
            sqlstate=NOT_SUPPORTED,
            detail="Its answer over all rows is not made of answers over parts of them.",
            hint="Leave the option shards out, or choose a mechanism with a softmax over all rows.",
        )
    _check_relation(arguments)
    _check_ids(arguments)
    if arguments["model"] is None:
        arguments.settle("num_heads", mechanism.default_num_heads)
    arguments.settle("temperature", mechanism.default_temperature)
    return mechanism, find_shards(schemas, table)


def _check_relation(arguments: Arguments) -> None:
    """Raise unless the relation is named as every server understands it."""
    parameter = arguments.table.sharded or ""
    name = arguments.known(parameter)
    if name is not None and "." not in name:
        raise AttentionError(
            f'{parameter} is "{name}", shards need it with its schema',
            hint=f"Write {parameter} = 'public.{name}': shards look names up in pg_catalog alone.",
        )


def _check_ids(arguments: Arguments) -> None:
    """Raise where the ids of the foreign table are none that the tables of shards give."""
    row = arguments.table.source_row
    id_type = arguments.id_type(row.id_column) if row is not None else ANY_ID
    if (
        row is not None
        and row.relation == arguments.table.sharded
        and id_type not in (*INTEGER_TYPES, ANY_ID)
    ):
        raise AttentionError(
            f"the ids of shards are integers, those of this table have type {id_type}",
            sqlstate=NOT_SUPPORTED,
            hint=INTEGERS,
        )


@contextmanager
def integers_of_shards() -> Iterator[None]:
    """Say of ids that are no integers what ids shards have."""
    try:
        yield
    except AttentionError as error:
        error.hint = INTEGERS
        raise


def passed_on(arguments: Arguments, table: Table, names: Mapping[str, str]) -> list[Condition]:
    """Conditions on parameters of a shard's table: for the name of each, that of the parameter here.

    A model has its own number of heads, which only the shards know.
    """
    found = []
    for theirs, ours in names.items():
        parameter, value = table.parameter(theirs), arguments[ours]
        left = theirs == "num_heads" and has_heads_of_model(arguments)
        if parameter is not None and value is not None and not left:
            if theirs == "candidates" and not isinstance(value, Unknown):
                with integers_of_shards():
                    value = as_ids(None, value)
            found.append(Condition(theirs, parameter.type, value))
    return found


def has_heads_of_model(arguments: Arguments) -> bool:
    """Whether a model says the number of heads, if it has one."""
    return arguments["model"] is not None and not arguments.is_given("num_heads")


def heads_beside_model(arguments: Arguments) -> int | None:
    """Their number where a model that may say it does not, None where it is given or not known yet."""
    name = arguments.known("attention_type")
    if name is None or not has_heads_of_model(arguments):
        return None
    heads: int | None = arguments["num_heads"]
    return heads or shared.find_mechanism(name, arguments.table.name).default_num_heads


def put_in_effect(
    arguments: Arguments, names: Mapping[str, str], found: Mapping[str, Sequence[str | None]]
) -> None:
    """Show what the shards chose where nothing was given: for the name of each parameter there its values."""
    for theirs, values in found.items():
        ours, chosen = names[theirs], sorted({str(value) for value in values})
        if arguments.is_given(ours) or not chosen:
            continue
        if len(chosen) > 1:
            raise AttentionError(
                f"shards differ in {ours}: {', '.join(chosen)}",
                hint=f"Give {ours}, or make the shards alike.",
            )
        arguments.declare(ours, int(chosen[0]) if theirs == "num_heads" else chosen[0])


def chunks(rows: int) -> Iterator[slice]:
    """Consecutive slices of so many rows, the first one small."""
    start, size = 0, FIRST
    while start < rows:
        yield slice(start, min(start + size, rows))
        start, size = start + size, min(2 * size, MOST)


def queries_at_once(rows: int | None, width: int = 1) -> int:
    """How many queries of that width a statement holds, where a shard gives so many rows for each."""
    return max(1, min(QUERIES, MOST // (rows or 1), FLOATS // max(width, 1)))


def blocks(queries: Rows, rows: int | None) -> Iterator[tuple[int, np.ndarray]]:
    """The vectors of the queries (m, d) as they go together, each block with the place of its first."""
    size = queries_at_once(rows, queries.width)
    for start in range(0, len(queries), size):
        yield start, queries.keyset[start : start + size]


def whole_lse(parts: np.ndarray) -> np.ndarray:
    """The log-sum-exps (..., H) over all shards of those (S, ..., H) of each.

    AttentionError where they are too large to tell weights: at 1e36 the sum of two weights is either of them.
    """
    largest = float(parts.flat[np.abs(parts).argmax()])
    if not abs(largest) < LARGEST:
        raise AttentionError(
            f"a log-sum-exp of a shard is {largest:g}, too large to weigh the rows of all shards by",
            sqlstate=OUT_OF_RANGE,
            hint="Raise the temperature, or make the vectors shorter.",
        )
    return merge_lse(parts)


def numbers(text: str) -> list[float]:
    """The elements of an array of numbers in its text form."""
    return [float(item) for item in text.strip("{}").split(",")]


def explained(arguments: Arguments, schemas: Sequence[str], table: Table) -> list[tuple[str, object]]:
    """The lines of EXPLAIN about a search of shards."""
    if isinstance(arguments["attention_type"], Unknown):
        mechanism, shards = arguments["attention_type"].text, find_shards(schemas, table)
    else:
        found, shards = settle(arguments, schemas, table)
        mechanism = found.name
    servers = ", ".join(f"{shard.schema} (server {shard.server})" for shard in shards)
    return [("Mechanism", mechanism), ("Shards", servers), ("Parameters", arguments.summary())]


def planned_shards(arguments: Arguments, schemas: Sequence[str], table: Table) -> list[Shard]:
    """The shards of which EXPLAIN (VERBOSE) tells more: none where the mechanism is not known yet."""
    unknown = isinstance(arguments["attention_type"], Unknown)
    return [] if unknown else settle(arguments, schemas, table)[1]


def planned(shards: Sequence[Shard], rounds: Sequence[Question]) -> list[tuple[str, object]]:
    """The lines of EXPLAIN (VERBOSE): what each round sends to each shard."""
    return [
        (f"Round {number} at {schema}", sent)
        for number, question in enumerate(rounds if shards else (), start=1)
        for schema, sent in plan_lines(shards, question)
    ]
