"""What the registry holds about one attention mechanism, and the functions that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from . import options
from .arrays import F32, F64, Checkpoint, Floats, Rows
from .edges import MakeEdgeScorer, WeighGraph
from .errors import InvalidOption, InvalidShape, shown
from .keyset import KeySet
from .options import Interval, Option, Value
from .positions import Positions
from .problem import BatchProblem, Options, Problem
from .projections import NOTHING, Projections
from .sets import SetProblem
from .softmax import State, exponentials
from .trained import Training
from .weights import BatchWeights, Weights

FEATURES = ("attention", "flash", "graph", "hyperbolic", "moe")

PAIR_OPERATIONS = (
    "attention_score",
    "mha_search",
    "attention",
    "cross_attention",
    "sliding_attention",
    "attention_pool",
)
"""The tables and functions that take any mechanism whose logits need one pair only."""

ORDERED_OPERATIONS = ("mha_search", "attention")
"""Those that take mechanisms which need an order."""

TEMPERATURE = Option("temperature", float, 1.0, Interval(0, low_open=True), "Logits are divided by it.")


class Scorer(Protocol):
    """One query made ready to score keys, pair by pair, in the dtype it was made for."""

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits, temperature included, of keys (n, d) into out (H, n)."""

    def rounding(self, keys: Floats) -> Floats | float:
        """A bound, per key or for all, on the float32 rounding error of any head's logit."""


MakeScorer = Callable[[F64, float, Options, type], Scorer]
"""Query slices (H, d/H), temperature, options and dtype of the keys to come -> scorer."""

MakeScorerOfAges = Callable[[F64, float, Options, type], Callable[[F64], Scorer]]
"""The same, and then the ages (b,) of the keys to come, by how much they stand before the query -> scorer."""


class ScoreKeys(Protocol):
    """Keys that are known already, ready for any query."""

    def __call__(self, query: F64) -> F64:
        """Query slices (H, d/H) -> logits (H, n), a new array."""

    @property
    def nbytes(self) -> int:
        """Bytes of arrays held."""


MakeScoreKeys = Callable[[F32, int, float, Options, Checkpoint], ScoreKeys]
"""Keys (n, d) as wide as queries, number of heads, temperature, options -> what scores them for any query."""


class Experts(Protocol):
    """Keys shared out among experts, each of which makes a softmax over its own."""

    @property
    def owner(self) -> Rows:
        """The expert (n,) that each key belongs to."""

    def of(self, query: F64, options: Options) -> tuple[Rows, F64]:
        """The experts (k,) that a query (d,) goes to, and their shares (k,) in the weights."""


MakeExperts = Callable[[F32, Options, Checkpoint], Experts]
"""Keys (n, d) with n >= 1, options -> experts."""

Normalise = Callable[[Floats, Floats, Options, Checkpoint], State]
"""Writes exp(logits - maximum) of logits (H, n) into the second array; returns maximum and sum of each."""

Aggregate = Callable[[Floats, Floats, Options, Checkpoint], Floats]
"""Weights (H, m, n), values (H, n, w), options -> outputs (H, m, w) of m queries."""

OwnValues = Callable[[F32, int, int, Options, Checkpoint], F32]
"""Keys (n, d_k), width of the query, number of heads, options -> values (n, d_v) that the keys stand for."""

OwnOutputs = Callable[[F32, KeySet, Sequence[Positions], Checkpoint], F64]
"""Queries (m, d), keys (n, d), n >= 1, where each query stands -> outputs (m, w)."""

KeyWidths = Callable[[int, int, Options], tuple[int, ...]]
"""Width of the query, number of heads, options -> the widths that keys may have."""


def same_width(query_width: int, heads: int, options: Options) -> tuple[int, ...]:
    """Keys as wide as the query."""
    return (query_width,)


Remark = Callable[[F32, int, Options], str | None]
"""Keys (n, d), number of heads, options -> what users must be told of the answer."""


def its_width(width: int, options: Options) -> int:
    """As many numbers as the key has."""
    return width


def identity(options: Options) -> str:
    """The word for vectors that are taken as they are."""
    return "identity"


def largest_element(slices: Floats, temperature: float, options: Options) -> float:
    """The size of the largest element."""
    return float(np.abs(slices).max(initial=0))


@dataclass(frozen=True)
class Features:
    """Maps under which a logit (of a kernel mechanism: the kernel) is a plain dot product.

    With them many queries go through one matrix product. queries and keys: slices (..., w), temperature,
    options -> (..., f), keys in the dtype that they have. exponent: of a kernel mechanism, how large an
    exponent the features of these slices may take, which must stay small lest float32 loses terms.
    """

    queries: Callable[[F64, float, Options], Floats]
    keys: Callable[[Floats, float, Options], Floats]
    exponent: Callable[[Floats, float, Options], float] = largest_element


Visible = Callable[[Problem], npt.NDArray[np.bool_]]
"""A problem -> (n,) which keys the query may see."""


def not_pairwise(query: F64, temperature: float, options: Options, dtype: type) -> Scorer:
    """The scorer of mechanisms that have none: pairs outside of a graph have no logit."""
    raise InvalidOption(
        "this mechanism scores the edges of a graph, not pairs of vectors",
        "Choose one whose scope is P or SET.",
    )


def always(options: Options) -> bool:
    """True, whatever the options."""
    return True


def weighted_sum(weights: Floats, values: Floats, options: Options, checkpoint: Checkpoint) -> Floats:
    """The sum of the values by weight, head by head."""
    result: Floats = np.matmul(weights, values)
    return result


@dataclass(frozen=True)
class Mechanism:
    """One entry of the registry.

    feature: one of FEATURES, which an administrator may switch off. weight_kind: D weights >= 0 that sum to
    1, D0 the same with exact zeros, S signed or unnormalised. scope: P where a logit needs one pair only,
    P+pos where it needs positions too, SET where it needs all keys, GRAPH where it scores edges. operations:
    the tables that take it. multi_head_family: 8 heads unless told otherwise, not 1. presets: the options
    that an alias stands for. temperature: None where logits are not divided by any.

    How it computes: `scorer` gives logits, `scorer_of_ages` those that depend on positions, `normalise` makes
    weights of them, `visible` says which keys count at all. `ordered` says whether keys must have positions,
    under these options, and then alone is `visible` asked; without it there is no order. per_step: options
    whose default is meant for positions that count rows. `weigh` takes the place of all that where weights
    are no matter of single pairs; `weigh_batch` where they need all queries. kernel: logits are logarithms
    of what users see. features: only where logits depend on the pair alone. `aggregate` makes outputs of
    weights and values, `own_values` values of keys where they are not the keys themselves; `own_outputs`
    makes outputs of queries and keys, where they are no sums by the weights that are shown. edges: the
    scorer over a graph. weigh_graph: where the weights of nodes need the whole graph. weigh_sets: where rows
    are sets of vectors. remark: what users must be told of an answer over these keys. weights: what
    stands in for learned ones, in a word or two. floats: numbers held to score a key of some width. whole:
    vectors cannot be cut into heads. flat: with `weigh_sets`, rows may be single vectors too. score_keys:
    what can be computed of keys alone, where a logit needs more than `features`. experts: those that `weigh`
    asks, each of which attends by scaled dot products. training: the weights that it takes out of a set. With
    such: projections of the vectors, which whoever reads these makes, and the heads that it was trained with.
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
    scorer: MakeScorer = not_pairwise
    operations: tuple[str, ...] = PAIR_OPERATIONS
    parameters: tuple[Option, ...] = ()
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    weight_kind: str = "D"
    scope: str = "P"
    multi_head_family: bool = False
    temperature: Option | None = TEMPERATURE
    scorer_of_ages: MakeScorerOfAges | None = None
    normalise: Normalise = exponentials
    visible: Visible | None = None
    ordered: Callable[[Options], bool] | None = None
    per_step: tuple[str, ...] = ()
    weigh: Callable[[Problem], Weights] | None = None
    weigh_batch: Callable[[BatchProblem], BatchWeights] | None = None
    weigh_sets: Callable[[SetProblem], Weights] | None = None
    kernel: bool = False
    features: Features | None = None
    aggregate: Aggregate = weighted_sum
    own_values: OwnValues | None = None
    own_outputs: OwnOutputs | None = None
    key_widths: KeyWidths = same_width
    edges: MakeEdgeScorer | None = None
    weigh_graph: WeighGraph | None = None
    remark: Remark | None = None
    weights: Callable[[Options], str] = identity
    floats: Callable[[int, Options], int] = its_width
    whole: bool = False
    flat: bool = False
    score_keys: MakeScoreKeys | None = None
    experts: MakeExperts | None = None
    training: Training | None = None
    projections: Projections = NOTHING
    heads: int | None = None

    def preset(self, alias: str) -> Mechanism:
        """The mechanism as this alias names it: with the defaults that the alias stands for."""
        defaults = self.presets.get(alias, {})
        parameters = tuple(replace(o, default=defaults.get(o.name, o.default)) for o in self.parameters)
        return replace(self, parameters=parameters)

    def needs_order(self, options: Options) -> bool:
        """Whether keys and query must have positions under these options."""
        return self.ordered is not None and self.ordered(options)

    def hides(self, options: Options) -> bool:
        """Whether keys may be hidden from the query under these options."""
        return self.visible is not None and (self.ordered is None or self.ordered(options))

    def pairwise(self, options: Options) -> bool:
        """Whether every key counts, by a logit that depends on the pair alone."""
        special = self.weigh or self.weigh_batch or self.scorer_of_ages
        return special is None and not self.hides(options)

    def merges(self, operation: str, options: Options) -> bool:
        """Whether answers over parts of the keys make up that over all of them, so that shards can answer."""
        return self.pairwise(options) and (operation != "attention" or self.aggregate is weighted_sum)

    @property
    def columns(self) -> tuple[str, ...]:
        """The options that name a column of numbers beside the vectors."""
        return tuple(option.name for option in self.parameters if option.names_column)

    @property
    def default_num_heads(self) -> int:
        """Number of heads where none is given."""
        return self.heads or (8 if self.multi_head_family else 1)

    @property
    def default_temperature(self) -> float | None:
        """Temperature where none is given; None where there is none at all."""
        return None if self.temperature is None else float(self.temperature.default or 1)


def parse_options(mechanism: Mechanism, given: Mapping[str, object]) -> dict[str, Value | None]:
    """Every option of the mechanism with its value in effect; UnknownOption or InvalidOption otherwise."""
    return options.parse(mechanism.name, mechanism.parameters, given)


def parse_temperature(mechanism: Mechanism, given: object) -> float:
    """The temperature in effect; InvalidOption outside the mechanism's range."""
    if given is None:
        return mechanism.default_temperature or 1.0
    if mechanism.temperature is not None:
        return float(mechanism.temperature.parse(given) or 0)
    if given != 1:
        raise InvalidOption(
            f"temperature is {shown(given)}, {mechanism.name} takes none",
            "Leave it out, or choose a mechanism with a softmax.",
        )
    return 1.0


def parse_num_heads(mechanism: Mechanism, given: object, dimensions: int) -> int:
    """The number of heads in effect, which must divide the dimensions of the query."""
    heads = mechanism.default_num_heads if given is None else given
    if isinstance(heads, bool) or not isinstance(heads, int) or heads < 1:
        raise InvalidOption(
            f"num_heads is {shown(heads)}, it must be an integer of at least 1",
            f"The default is {mechanism.default_num_heads}.",
        )
    if mechanism.whole and heads > 1:
        raise InvalidOption(
            f"num_heads is {heads}, {mechanism.name} takes whole vectors",
            "Leave num_heads out, or set it to 1.",
        )
    check_trained_heads(mechanism, heads)
    if dimensions % heads:
        fits = ", ".join(str(h) for h in range(1, min(dimensions, 256) + 1) if dimensions % h == 0)
        raise InvalidShape(
            f"num_heads is {heads}, which does not divide the query's {dimensions} dimensions",
            f"Each head takes an equal slice of the vector. Values that fit: {fits}.",
        )
    return heads


def check_trained_heads(mechanism: Mechanism, heads: int) -> None:
    """Raise InvalidShape unless the weights are for so many heads."""
    if mechanism.heads not in (None, heads):
        raise InvalidShape(
            f"num_heads is {heads}, the weights are those of {mechanism.heads} heads", "Leave num_heads out."
        )


def json_schema(mechanism: Mechanism) -> dict[str, object]:
    """JSON schema of the mechanism's options."""
    return {
        "type": "object",
        "properties": {option.name: option.json_schema() for option in mechanism.parameters},
        "additionalProperties": False,
    }
