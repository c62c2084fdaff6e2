"""What the registry holds about one attention mechanism, and the functions that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from . import options
from .arrays import F64, Checkpoint, Floats
from .errors import InvalidOption, InvalidShape, shown
from .options import Interval, Number, Option
from .softmax import State, exponentials

FEATURES = ("attention", "flash", "graph", "hyperbolic", "moe")

Options = Mapping[str, Number | None]

TEMPERATURE = Option("temperature", float, 1.0, Interval(0, low_open=True), "Logits are divided by it.")


class Scorer(Protocol):
    """One query made ready to score keys, pair by pair, in the dtype it was made for."""

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits, temperature included, of keys (n, d) into out (H, n)."""

    def rounding(self, keys: Floats) -> Floats | float:
        """A bound, per key or for all, on the float32 rounding error of any head's logit."""


MakeScorer = Callable[[F64, float, Options, type], Scorer]
"""Query slices (H, d/H), temperature, options and dtype of the keys to come -> scorer."""

Normalise = Callable[[Floats, Floats, Options, Checkpoint], State]
"""Writes exp(logits - maximum) of logits (H, n) into the second array; returns maximum and sum of each."""


@dataclass(frozen=True)
class Mechanism:
    """One entry of the registry.

    feature: one of FEATURES, which an administrator may switch off. weight_kind: D weights >= 0 that sum to
    1, D0 the same with exact zeros, S signed or unnormalised. scope: P where a logit needs one pair only.
    operations: the tables that take it. multi_head_family: 8 heads unless told otherwise, not 1.
    """

    name: str
    aliases: tuple[str, ...]
    family: str
    feature: str
    complexity: str
    memory: str
    best_for: str
    formula: str
    reference: str
    scorer: MakeScorer
    operations: tuple[str, ...] = ("attention_score", "mha_search", "attention_pool")
    parameters: tuple[Option, ...] = ()
    weight_kind: str = "D"
    scope: str = "P"
    multi_head_family: bool = False
    temperature: Option = TEMPERATURE
    normalise: Normalise = exponentials

    @property
    def default_num_heads(self) -> int:
        """Number of heads where none is given."""
        return 8 if self.multi_head_family else 1

    @property
    def default_temperature(self) -> float:
        """Temperature where none is given."""
        return float(self.temperature.default or 1)


def parse_options(mechanism: Mechanism, given: Mapping[str, object]) -> dict[str, Number | None]:
    """Every option of the mechanism with its value in effect; UnknownOption or InvalidOption otherwise."""
    return options.parse(mechanism.name, mechanism.parameters, given)


def parse_temperature(mechanism: Mechanism, given: object) -> float:
    """The temperature in effect; InvalidOption outside the mechanism's range."""
    if given is None:
        return mechanism.default_temperature
    return float(mechanism.temperature.parse(given) or 0)


def parse_num_heads(mechanism: Mechanism, given: object, dimensions: int) -> int:
    """The number of heads in effect, which must divide the dimensions of the query."""
    heads = mechanism.default_num_heads if given is None else given
    if isinstance(heads, bool) or not isinstance(heads, int) or heads < 1:
        raise InvalidOption(f"num_heads is {shown(heads)}, it must be an integer of at least 1")
    if dimensions % heads:
        fits = ", ".join(str(h) for h in range(1, min(dimensions, 256) + 1) if dimensions % h == 0)
        raise InvalidShape(
            f"num_heads is {heads}, which does not divide the query's {dimensions} dimensions",
            f"Each head takes an equal slice of the vector. Values that fit: {fits}.",
        )
    return heads


def json_schema(mechanism: Mechanism) -> dict[str, object]:
    """JSON schema of the mechanism's options."""
    return {
        "type": "object",
        "properties": {option.name: option.json_schema() for option in mechanism.parameters},
        "additionalProperties": False,
    }
