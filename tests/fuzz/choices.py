"""Chooses values for parameters by their type and name."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ruattn_fdw.kernels.mechanism import Mechanism
from ruattn_fdw.kernels.options import Interval, NumbersOption, Option

from ruattn_fdw.declaration import Parameter
from tests.fuzz.pieces import (
    BAD_BOOLEANS,
    BAD_CANDIDATES,
    BAD_FLOATS,
    BAD_IDS,
    BAD_INTEGERS,
    BAD_JSON,
    BAD_MATRICES,
    BAD_NUMBER_ARRAYS,
    BAD_OPTION_VALUES,
    BAD_TEXTS,
    BAD_VECTORS,
    BOOLEANS,
    CANDIDATES,
    COLUMNS,
    IDS,
    MATRICES,
    NULL,
    NUMBER_ARRAYS,
    VECTORS,
    Piece,
    pieces,
    quoted,
)
from tests.fuzz.world import DIMENSIONS, Relation


def integers(minimum: float | None, maximum: float | None) -> list[Piece]:
    """Integers within bounds, small ones."""
    low = 1 if minimum is None else int(minimum)
    values = [low, low + 1, low + 3, DIMENSIONS // 2, DIMENSIONS]
    return pieces(*(str(value) for value in values if value >= low and (maximum is None or value <= maximum)))


def option_value(random: Random, option: Option) -> Any:
    """A value that an option of a mechanism takes."""
    if option.type is str and option.range is None:
        return random.choice(["weight", "n", "flag"])
    if isinstance(option, NumbersOption):
        return [random.choice([0, 2, 3, 4]) for _ in range(option.length)]
    if isinstance(option.range, tuple):
        return random.choice(option.range)
    if option.type is bool:
        return random.random() < 0.5
    assert isinstance(option.range, Interval)
    low, high = (
        end if math.isfinite(end) else edge for end, edge in zip(_ends(option.range), (-4, 9), strict=True)
    )
    return _number(random, option, max(low, -4), min(high, max(low, 0) + 9))


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _number(random: Random, option: Option, low: float, high: float) -> float:
    if option.type is int:
        return random.randint(int(low), int(high))
    return random.choice(
        [low, high, (low + high) / 2, round(random.uniform(low, high), 3), option.default or high]
    )


def chance(option: Option) -> float:
    """How often an option is given: mostly, where without it there may be nothing to compute with."""
    return 0.8 if isinstance(option.range, tuple) and option.default is None else 0.4


def options(random: Random, declared: Sequence[Option], bad: bool) -> Piece:
    """Options out of those declared, as jsonb; bad ones do not exist, or are not of the right type."""
    if bad and random.random() < 0.5:
        return random.choice(BAD_JSON)
    given = {
        option.name: option_value(random, option) for option in declared if random.random() < chance(option)
    }
    if bad:
        names = [option.name for option in declared] or ["scale"]
        given[random.choice(names)] = random.choice(BAD_OPTION_VALUES)
    return Piece(quoted(json.dumps(given)), empties=any("threshold" in name for name in given))


@dataclass(frozen=True)
class Choice:
    """What values are chosen for: the mechanism, the options that go with it, relations and models."""

    mechanism: Mechanism
    options: Sequence[Option]
    relations: Sequence[Relation]
    models: Sequence[str]


def text(random: Random, name: str, among: Sequence[str], choice: Choice, bad: bool) -> Piece:
    """A text for a parameter of this name."""
    if among:
        return Piece(quoted(random.choice([*BAD_TEXTS, *among] if bad else list(among))))
    if name.endswith(("table", "table_name", "index")):
        return relation(random, name, choice, bad)
    if name.endswith("column"):
        return Piece(
            quoted(random.choice([*BAD_TEXTS, *COLUMNS] if bad else [usual_column(name)])), empties=bad
        )
    if name == "attention_type":
        known = [choice.mechanism.name, *choice.mechanism.aliases]
        return Piece(quoted(random.choice(BAD_TEXTS if bad else known)))
    if name == "model":
        return Piece(quoted(random.choice([*BAD_TEXTS, *choice.models] if bad else list(choice.models))))
    return Piece(quoted(random.choice(BAD_TEXTS)))


USUAL = ("documents", "documents", "indexed", "coded", "halved", "shown", "parts", "kept")
"""Relations with the ids from 4 to 24."""


def usual_column(name: str) -> str:
    """The column of `documents`, or of `links`, that a parameter of this name means."""
    for part, column in {
        "id": "id",
        "order": "n",
        "text": "title",
        "source": "source",
        "target": "target",
    }.items():
        if part in name.split("_"):
            return column
    return "embedding"


def relation(random: Random, name: str, choice: Choice, bad: bool) -> Piece:
    """A relation of the world: mostly one that suits."""
    if bad:
        found = random.choice(choice.relations)
        return Piece(quoted(found.name), found.empties)
    if "edge" in name:
        return Piece(quoted(random.choice(["links", "src_links"])))
    return Piece(quoted(random.choice(USUAL)))


BY_TYPE = {
    "attention_vector": (VECTORS, BAD_VECTORS),
    "real[]": (MATRICES, BAD_MATRICES),
    "bigint[]": (CANDIDATES, BAD_CANDIDATES),
    "double precision[]": (NUMBER_ARRAYS, BAD_NUMBER_ARRAYS),
    "boolean": (BOOLEANS, BAD_BOOLEANS),
    "double precision": (pieces("0.5", "1", "0.05::real", "2.0", "10"), BAD_FLOATS),
}


def value(random: Random, parameter: Parameter, choice: Choice, bad: bool) -> Piece:
    """A value for a parameter of a table; one that is bad in some way, or NULL, where that is wanted."""
    if bad and random.random() < 0.15:
        return NULL
    if parameter.id_of is not None and parameter.type == "bigint":
        return random.choice(BAD_IDS if bad else IDS)
    if parameter.type in ("integer", "bigint"):
        return random.choice(BAD_INTEGERS if bad else integers(parameter.minimum, parameter.maximum))
    if parameter.type == "jsonb":
        return options(random, choice.options, bad)
    if parameter.type == "text":
        return text(random, parameter.name, parameter.among, choice, bad)
    return random.choice(BY_TYPE[parameter.type][bad])
