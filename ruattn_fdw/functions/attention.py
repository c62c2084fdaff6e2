"""Functions over arrays: the softmax, the weights of keys, and the output of each mechanism.

The functions of the mechanisms are made of what these declare: their options are arguments by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ruattn_fdw import features, host_api
from ruattn_fdw.declaration import Parameter
from ruattn_fdw.errors import NOT_SUPPORTED, AttentionError
from ruattn_fdw.functions.declaration import ANY_SPELLING, Argument, Function
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.options import Option
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.positions import Order, Positions
from ruattn_fdw.kernels.registry import find
from ruattn_fdw.kernels.softmax import exponentials
from ruattn_fdw.tables import shared
from ruattn_fdw.values import read

SQL_TYPES: dict[type, str] = {int: "integer", float: "double precision", bool: "boolean", str: "text"}

# which mechanisms have a function ruvector_<name>_attention
MECHANISMS = {
    "multi_head": "multi_head",
    "flash": "flash_v2",
    "linear": "linear",
    "sliding_window": "sliding_window",
    "cross": "cross",
    "sparse": "sparse",
    "moe": "moe",
    "hyperbolic": "hyperbolic",
}

LOGITS = Parameter("logits", "double precision[]", "numbers to turn into weights")
QUERY = Parameter("query", "attention_vector", "vector that asks")
KEYS = Parameter("keys", "real[]", "vectors that answer, one in each row")
VALUES = Parameter("values", "real[]", "vectors to sum by weight, one for each key")


def softmax(logits: object) -> np.ndarray:
    """The softmax of an array."""
    numbers: np.ndarray = read(LOGITS, logits)[None]
    weights = np.empty_like(numbers)
    state = exponentials(numbers, weights, {}, host_api.check_interrupts)
    result: np.ndarray = (weights[0] / state.total[0]).astype(np.float32)
    return result


def attention_scores(query: object, keys: object, attention_type: str) -> np.ndarray:
    """The weights of the keys, in their order, which is also their order in time."""
    vector, matrix = read(QUERY, query), read(KEYS, keys)
    mechanism = shared.find_mechanism(attention_type, "attention")
    if mechanism.weigh_batch is not None:
        raise AttentionError(
            f"{mechanism.name} weighs all queries together, and here is one",
            sqlstate=NOT_SUPPORTED,
            hint="Ask cross_attention, or choose another mechanism.",
        )
    _check_width(vector, matrix)
    with shared.kernel_errors(_key_name):
        weights = attend(
            mechanism,
            vector,
            matrix,
            num_heads=mechanism.default_num_heads,
            positions=_positions(matrix),
            checkpoint=host_api.check_interrupts,
        )
    return weights.score


def attention_output(
    mechanism: Mechanism, query: Any, keys: Any, values: Any, *settings: Any
) -> np.ndarray | None:
    """The output of one query over keys with values; NULL where one of these is, or where no key is seen."""
    if query is None or keys is None or values is None:
        return None
    features.require(mechanism)
    vector, matrix, weighed = read(QUERY, query), read(KEYS, keys), read(VALUES, values)
    _check_width(vector, matrix)
    if len(matrix) != len(weighed):
        raise AttentionError(
            f"keys has {len(matrix)} rows, values has {len(weighed)}", hint="Give one value for each key."
        )
    given = {option.name: value for option, value in zip(_settings(mechanism), settings, strict=True)}
    own = {name: value for name, value in given.items() if value is not None}
    with shared.kernel_errors(_key_name):
        chosen = Settings(
            mechanism, len(vector), own.pop("num_heads", None), own.pop("temperature", None), own
        )
        positions = _positions(matrix)
        [block] = outputs(
            chosen,
            vector[None],
            matrix,
            weighed,
            place=lambda row: positions,
            entropy=False,
            checkpoint=host_api.check_interrupts,
        )
    return None if block.empty[0] else block.output[0]


def _check_width(query: np.ndarray, keys: np.ndarray) -> None:
    if len(query) != keys.shape[1]:
        raise AttentionError(
            f"query has {len(query)} dimensions, keys has {keys.shape[1]}",
            hint="A query is compared with keys of its own length.",
        )


def _positions(keys: np.ndarray) -> Positions:
    """Keys stand in the order of the array, the query where the last one stands."""
    places = np.arange(len(keys))
    return Order(places.astype(np.float64), places).at()


def _key_name(row: int) -> str:
    return f"row {row + 1} of keys"


NUM_HEADS = Option("num_heads", int, None, None, "Slices of the vectors.")


def _settings(mechanism: Mechanism) -> list[Option]:
    """What the mechanism's function takes beside its arrays: heads, its own options, temperature."""
    temperature = [mechanism.temperature] if mechanism.temperature is not None else []
    return [NUM_HEADS, *mechanism.parameters, *temperature]


def _argument(mechanism: Mechanism, option: Option) -> Argument:
    default = mechanism.default_num_heads if option is NUM_HEADS else option.default
    text = "NULL" if default is None else f"'{default}'" if isinstance(default, str) else json.dumps(default)
    return Argument(f'"{option.name}"', SQL_TYPES[option.type], text)


def output_function(name: str, mechanism: Mechanism) -> Function:
    """The function ruvector_<name>_attention."""
    run: Callable[..., Any] = partial(attention_output, mechanism)
    return Function(
        name=f"ruvector_{name}_attention",
        help=f"The output of {mechanism.name} attention: values summed by the weights of their keys.",
        arguments=(
            Argument("query", ANY_SPELLING),
            Argument("keys", ANY_SPELLING),
            Argument('"values"', ANY_SPELLING),
            *(_argument(mechanism, option) for option in _settings(mechanism)),
        ),
        returns="real[]",
        run=run,
        cost=1000,
        strict=False,
    )


FUNCTIONS = (
    Function(
        name="ruvector_softmax",
        help="The softmax of an array of numbers.",
        arguments=(Argument("logits", ANY_SPELLING),),
        returns="real[]",
        run=softmax,
    ),
    Function(
        name="ruvector_attention_scores",
        help="The attention weights of keys for a query, in the order of the keys.",
        arguments=(
            Argument("query", ANY_SPELLING),
            Argument("keys", ANY_SPELLING),
            Argument("attention_type", "text", "'scaled_dot'"),
        ),
        returns="real[]",
        run=attention_scores,
        cost=1000,
    ),
    *(output_function(name, find(mechanism)) for name, mechanism in MECHANISMS.items()),
)
