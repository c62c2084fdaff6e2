"""Sparse attention by fixed patterns (Child et al. 2019, Sparse Transformer; Zaheer et al. 2020, BigBird)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..core.dot import dot_scorer
from ..mechanism import ORDERED_OPERATIONS, Mechanism, always
from ..options import Interval, Option
from ..positions import Positions
from ..problem import Options, Problem
from ..projections import LAYER

Bools = npt.NDArray[np.bool_]
_COUNT = Interval(1, 2**31 - 1)


def in_pattern(problem: Problem) -> Bools:
    """Which of the keys (n,) the pattern shows to the query."""
    positions, options = problem.order, problem.options
    shown = _PATTERNS[options["pattern"]](positions, options)
    return shown & (positions.steps >= 0) if options["causal"] else shown


def _stride(positions: Positions, options: Options) -> int:
    return int(options["stride"] or max(1, math.ceil(math.sqrt(len(positions.ranks)))))


def _strided(positions: Positions, options: Options) -> Bools:
    """The keys within one stride, and every stride-th one."""
    stride, steps = _stride(positions, options), np.abs(positions.steps)
    return np.asarray((steps < stride) | (steps % stride == 0))


def _fixed(positions: Positions, options: Options) -> Bools:
    """The query's own block of stride keys, and the last `summary` keys of every block."""
    stride, ranks = _stride(positions, options), positions.ranks
    same_block = ranks // stride == positions.query_rank // stride
    return np.asarray(same_block | (ranks % stride >= stride - int(options["summary"])))


def _bigbird(positions: Positions, options: Options) -> Bools:
    """The keys near the query, the first keys of all, and some drawn at random."""
    ranks = positions.ranks
    near = np.abs(positions.steps) <= int(options["window"]) // 2
    drawn = np.random.RandomState(_seed(positions, options)).permutation(len(ranks))
    chosen = np.zeros(len(ranks), bool)
    chosen[drawn[: int(options["random_tokens"])]] = True
    return np.asarray(near | (ranks < int(options["global_tokens"])) | chosen[ranks])


def _seed(positions: Positions, options: Options) -> list[int]:
    """Each query draws keys of its own."""
    return [int(options["seed"]), positions.query_rank + 1]


_PATTERNS = {"strided": _strided, "fixed": _fixed, "bigbird": _bigbird}

MECHANISM = Mechanism(
    name="sparse",
    aliases=("sparse_transformer", "strided", "fixed", "bigbird"),
    family="sparse",
    feature="attention",
    complexity="O(sqrt(n) d)",
    memory="O(sqrt(n))",
    best_for="very long sequences",
    formula="a = softmax_j(<q, k_j> / (sqrt(d) temperature)) over i - j < l or l | i - j (strided)",
    reference="Child et al. 2019, Sparse Transformer; Zaheer et al. 2020, BigBird",
    operations=ORDERED_OPERATIONS,
    parameters=(
        Option("pattern", str, "strided", tuple(_PATTERNS), "Which keys a query sees."),
        Option("stride", int, None, _COUNT, "Length l of a block or stride; ceil(sqrt(n)) if left out."),
        Option("summary", int, 1, _COUNT, "Last keys of each block that all see, for the pattern fixed."),
        Option("window", int, 256, _COUNT, "Keys around the query, for the pattern bigbird."),
        Option(
            "global_tokens",
            int,
            1,
            Interval(0, 2**31 - 1),
            "First keys that all see, for the pattern bigbird.",
        ),
        Option(
            "random_tokens", int, 64, Interval(0, 2**31 - 1), "Keys drawn at random, for the pattern bigbird."
        ),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the keys drawn at random."),
        Option("causal", bool, True, None, "Whether keys after the query are hidden."),
    ),
    presets={name: {"pattern": name} for name in _PATTERNS},
    scope="P+pos",
    scorer=dot_scorer,
    ordered=always,
    visible=in_pattern,
    training=LAYER,
)
