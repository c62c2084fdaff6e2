"""What tables with a mechanism share: parameters, their checks, and the kernels' errors in SQL's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ruattn_fdw import features, host_api, memory, shard_options
from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import BAD_DATA, NOT_SUPPORTED, OUT_OF_RANGE, AttentionError
from ruattn_fdw.kernels import registry
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.errors import KernelError, NumericOverflow, OutOfDomain, UnknownOption
from ruattn_fdw.kernels.keyset import as_keyset
from ruattn_fdw.kernels.mechanism import Mechanism, parse_options, parse_temperature
from ruattn_fdw.parameters import Arguments
from ruattn_fdw.source.relation import estimated_rows
from ruattn_fdw.tables import declared, models
from ruattn_fdw.values import Unknown

TABLE_NAME = Parameter(
    "table_name",
    "text",
    "relation that holds the keys; its name resolves as in SQL",
    required=True,
)
ID_COLUMN = Parameter(
    "id_column", "text", "column of the ids", default_help="the single-column primary key, else id"
)
VECTOR_COLUMN = Parameter(
    "vector_column",
    "text",
    "column of the vectors: real[], double precision[], vector or halfvec",
    default_help="the only one of a vector type",
)
TEMPERATURE = Parameter(
    "temperature",
    "double precision",
    "divides the logits: below 1 sharpens the scores, above 1 flattens them",
    default_help="the mechanism's own, mostly 1",
    minimum=0.0,
    above=True,
)
ORDER_COLUMN = Parameter(
    "order_column",
    "text",
    "column that orders the keys: numbers, dates or timestamps; for mechanisms that know an order",
)
POSITION = Parameter(
    "position",
    "double precision",
    "where the query stands in that order, for timestamps in seconds since 1970",
    default_help="where the newest key stands, or the row that the query is",
)
CANDIDATES = Parameter(
    "candidates",
    "bigint[]",
    "ids that may be keys; all others are left out before normalisation",
    id_of="id_column",
)
NORMALISER = Parameter(
    "normaliser",
    "double precision[]",
    "replaces lse, one value for each head: scores are then those of a larger whole",
)
MODEL = Parameter("model", "text", "name of a set in ruattn_weights; without it nothing is learned")
OPTIONS = Parameter("options", "jsonb", "the mechanism's own parameters, as attention_types lists them")
OPTIONS_AND_SHARDS = replace(OPTIONS, help=f"{OPTIONS.help}, {shard_options.HELP}")


def attention_type(default: str) -> Parameter:
    """The parameter that names the mechanism."""
    return Parameter(
        "attention_type", "text", "mechanism: a name or alias out of attention_types", default=default
    )


def num_heads(**default: Any) -> Parameter:
    """The parameter that says into how many slices vectors are cut."""
    return Parameter(
        "num_heads",
        "integer",
        "number of slices of the vectors, a divisor of their dimensions",
        minimum=1,
        **default,
    )


def k_nearest(help: str) -> Parameter:
    """The parameter that limits the rows of the answer."""
    return Parameter("k", "integer", help, default_help="every row", minimum=1)


class kernel_errors:  # noqa: N801
    """Give the kernels' errors their SQLSTATE; `row_names` says what the user calls the key at an index.

    A class: a generator's context costs several times as much.
    """

    __slots__ = ("_row_names",)

    def __init__(self, row_names: Callable[[int], str] | None = None) -> None:
        self._row_names = row_names

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KernelError):
            raise _in_sql(error, self._row_names) from error


def _in_sql(error: KernelError, row_names: Callable[[int], str] | None) -> AttentionError:
    """A kernel's error with its SQLSTATE, and with the row, where it is about one, as the user calls it."""
    row = error.row if isinstance(error, NumericOverflow | OutOfDomain) else None
    named = row_names(row) if row is not None and row_names is not None else None
    if isinstance(error, NumericOverflow):
        message = f"the logit of query and {named} overflows single precision" if named else error.message
        return AttentionError(message, sqlstate=OUT_OF_RANGE, hint=error.hint)
    if isinstance(error, OutOfDomain) and named:
        return AttentionError(f"{named} {error.what}", sqlstate=BAD_DATA, hint=error.hint)
    return AttentionError(error.message, hint=error.hint)


def find_mechanism(name: str, operation: str) -> Mechanism:
    """The mechanism of this name, if it is available and takes part in the operation."""
    with kernel_errors():
        mechanism = registry.find(name)
    features.require(mechanism)
    if operation not in mechanism.operations:
        raise AttentionError(
            f'attention_type "{mechanism.name}" does not work in {operation}',
            sqlstate=NOT_SUPPORTED,
            hint=f"It works in {', '.join(mechanism.operations)}.",
        )
    return mechanism


def chosen_mechanism(arguments: Arguments, operation: str) -> Mechanism:
    """The mechanism that the parameters name, with the weights of the model if they name one."""
    model = arguments.known("model") if "model" in arguments else None
    return models.with_model(find_mechanism(arguments["attention_type"], operation), model, operation)


def settle_mechanism(
    arguments: Arguments, operation: str, column: tuple[str, str] | None = ("table_name", "vector_column")
) -> Mechanism:
    """The mechanism, with the defaults that depend on it put in effect.

    column: the parameters that name the relation and column whose attention index may declare it. A server
    that asks this one as its shard says the number of heads itself, lest shards differ in it.
    """
    asked_heads = shard_options.default_heads(arguments)
    if column is not None and asked_heads is None:
        declared.put_in_effect(arguments, operation, *column)
    mechanism = chosen_mechanism(arguments, operation)
    heads = mechanism.heads or asked_heads
    if heads is not None and not arguments.is_given("num_heads"):
        arguments.declare("num_heads", heads)
    arguments.settle("num_heads", mechanism.default_num_heads)
    arguments.settle("temperature", mechanism.default_temperature)
    return mechanism


def kernel_settings(mechanism: Mechanism, arguments: Arguments) -> dict[str, Any]:
    """What every kernel takes besides its arrays, checked before any row is read."""
    with kernel_errors():
        return {
            "num_heads": arguments["num_heads"],
            "temperature": parse_temperature(mechanism, arguments["temperature"]),
            "options": mechanism_options(mechanism, arguments),
        }


def mechanism_options(mechanism: Mechanism, arguments: Arguments) -> dict[str, Any]:
    """Every option of the mechanism with its value in effect; errors of kernels as they are."""
    try:
        return parse_options(mechanism, shard_options.own_options(arguments))
    except UnknownOption as error:
        if arguments.table.sharded is not None:
            error.hint = f"{error.hint} {arguments.table.name} itself takes {shard_options.SHARDS}."
        raise


def explain_mechanism(
    arguments: Arguments, operation: str, column: tuple[str, str] | None = ("table_name", "vector_column")
) -> tuple[str, object]:
    """The line of EXPLAIN about the mechanism; what is known of its settings is checked as in a scan."""
    name = arguments["attention_type"]
    if isinstance(name, Unknown):
        return "Mechanism", name.text
    mechanism = settle_mechanism(arguments, operation, column)
    if not any(isinstance(arguments.get(name), Unknown) for name in ("temperature", "options", "model")):
        kernel_settings(mechanism, arguments)
    return "Mechanism", mechanism.name


def explain_projections(arguments: Arguments, operation: str) -> tuple[str, object]:
    """The line of EXPLAIN about what stands in for learned weights, as far as it is known."""
    for name in ("attention_type", "options", "model"):
        if isinstance(arguments[name], Unknown):
            return "Projections", arguments[name].text
    mechanism = chosen_mechanism(arguments, operation)
    return "Projections", mechanism.weights(kernel_settings(mechanism, arguments)["options"])


def many_settings(mechanism: Mechanism, arguments: Arguments, dimensions: int) -> Settings:
    """The kernels' settings for many vectors of these dimensions."""
    with kernel_errors():
        return Settings(
            mechanism,
            dimensions,
            arguments["num_heads"],
            arguments["temperature"],
            shard_options.own_options(arguments),
        )


def key_widths(
    mechanism: Mechanism, query_width: int, heads: int, options: Mapping[str, Any]
) -> tuple[int, ...]:
    """The widths of keys that go with a query of this width."""
    with kernel_errors():
        return mechanism.key_widths(query_width, heads, options)


def check_memory(what: str, *arrays: Any) -> None:
    """Raise if arrays that are held at the same time need more than `ruattn_fdw.max_memory`."""
    memory.check_memory(what, sum(array.nbytes for array in arrays), "restrict the rows with a view")


def check_pairs(mechanism: Mechanism, queries: int, keys: int) -> None:
    """Raise if a mechanism that weighs all queries together would need too much memory for its tables."""
    if mechanism.weigh_batch is not None:
        memory.check_memory("the weights of all pairs", 32 * queries * keys, "take fewer rows")


def known_size(table_name: str | None) -> float | None:
    """The planner's estimate of a relation's rows, as far as the relation is known and has one."""
    relation = host_api.relation(table_name) if table_name else None
    return estimated_rows(relation) if relation else None


def send_remark(
    mechanism: Mechanism, keys: Any, heads: int, options: Mapping[str, Any], memo: dict[str, Any]
) -> None:
    """Tell the user, once for all rescans, what the mechanism has to say of an answer over keys (n, d)."""
    if mechanism.remark is None or memo.get("remarked"):
        return
    memo["remarked"] = True
    with kernel_errors():
        remark = mechanism.remark(as_keyset(keys).dense(), heads, options)
    if remark:
        host_api.notice(remark)
