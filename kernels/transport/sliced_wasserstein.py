"""Sliced Wasserstein attention (Rabin et al. 2011; Bonneel et al. 2015): rows are sets of vectors.

Sets are compared along random lines, where optimal transport is sorting. A flat vector is a set of vectors of
`token_dim` dimensions; sets of different sizes are compared by their quantiles.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..arrays import EPS32, F64, TINY32, Checkpoint, Floats, Rows, spans
from ..errors import InvalidOption, InvalidShape
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options
from ..sets import SetProblem, VectorSets
from ..softmax import plain_softmax
from ..weights import Weights, settled


class SlicedScorer:
    """Logits -SW(query, key) / temperature of flat vectors."""

    def __init__(self, query: F64, temperature: float, options: Options, dtype: type) -> None:
        """query (H, w)."""
        self._tokens, self._width = _tokens(query.shape[1], options)
        self._lines: Floats = lines(self._width, options).astype(dtype)
        self._order, self._temperature = int(options["order"]), temperature
        sets = query.reshape(len(query), self._tokens, self._width)
        self._sorted: Floats = np.sort(_along(sets, lines(self._width, options)), axis=1).astype(dtype)
        self._length = float(np.sqrt((query * query).sum()))

    def logits(self, keys: Floats, out: Floats) -> None:
        """Write the logits of keys (n, d) into out (H, n)."""
        sets = keys.reshape(len(keys), len(self._sorted), self._tokens, self._width)
        apart = np.sort(_along(sets, self._lines), axis=2)
        apart -= self._sorted
        largest, shares = _largest_and_shares(np.abs(apart, out=apart))
        means = np.mean(np.power(shares, self._order, out=shares), axis=(2, 3))
        out[:] = (largest * means ** (1 / self._order) / -self._temperature).T

    def rounding(self, keys: Floats) -> Floats:
        """Sorting moves no element by more than its own rounding; then come powers and a mean.

        Squares too small for float32 are made up for.
        """
        squares = np.einsum("nd,nd->n", keys, keys).astype(np.float64)
        lengths = np.sqrt(squares + keys.shape[1] * TINY32) + self._length
        terms = self._width + self._tokens * self._lines.shape[1] + 8 * self._order
        return np.asarray(lengths * (terms * EPS32 / self._temperature) + TINY32, np.float32)


def _tokens(width: int, options: Options) -> tuple[int, int]:
    """How many vectors a flat vector holds, and how wide they are."""
    token_dim = options["token_dim"]
    if token_dim is None:
        raise InvalidOption(
            "sliced_wasserstein needs token_dim: each row is a set of vectors",
            'Say how wide one is, {"token_dim": ...}, or take arrays of vectors with the parameter queries.',
        )
    count, rest = divmod(width, int(token_dim))
    if rest or count < 2:
        raise InvalidShape(
            f"token_dim is {token_dim}, which does not cut {width} dimensions into two vectors or more",
            "One vector a row would leave nothing to transport: take gaussian_kernel for it.",
        )
    return count, int(token_dim)


def lines(width: int, options: Options) -> F64:
    """Unit vectors (width, L) that sets are projected on."""
    return _lines(width, int(options["n_projections"]), int(options["seed"]))


@lru_cache(maxsize=4)
def _lines(width: int, count: int, seed: int) -> F64:
    drawn = np.random.RandomState(seed).standard_normal((width, count))
    result: F64 = drawn / np.linalg.norm(drawn, axis=0)
    return result


def _along(sets: Floats, directions: Floats) -> Floats:
    """Projections (..., t, L) of sets (..., t, p); in float64 each alone, so that equals stay equal."""
    if sets.dtype == np.float32:
        return np.asarray(sets @ directions)
    return np.asarray(np.einsum("...tp,pl->...tl", sets, directions))


def _largest_and_shares(apart: Floats) -> tuple[Floats, Floats]:
    """The largest (...) of numbers (..., t, L), and what part of it each is; so no power leaves the range."""
    largest = apart.max(axis=(-2, -1))
    apart /= np.where(largest > 0, largest, 1)[..., None, None]
    return largest, apart


def weigh(problem: SetProblem) -> Weights:
    """The weights of rows that are sets, of whatever sizes."""
    distances = _distances(problem.queries, problem.sets, problem.options, problem.checkpoint)
    logits = distances[None] / -problem.temperature
    weights, lse = plain_softmax(logits)
    if problem.normaliser is not None:
        weights, lse = np.exp(logits - problem.normaliser[:, None]), problem.normaliser
    return settled(weights, logits, lse)


def _distances(queries: F64, sets: VectorSets, options: Options, checkpoint: Checkpoint) -> F64:
    """SW (n,) of the queries (t, p) and each set, sets of one size together."""
    directions = lines(queries.shape[1], options)
    mine = np.sort(_along(queries, directions), axis=0)
    sizes, found = np.diff(sets.bounds), np.empty(len(sets))
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        for span in spans(len(rows), 8 * size * directions.shape[1]):
            part = rows[span]
            vectors = sets.take(part).vectors.astype(np.float64).reshape(len(part), size, -1)
            along = np.sort(_along(vectors, directions), axis=1)
            found[part] = _quantile_distance(mine, along, options)
            checkpoint()
    return found


def _quantile_distance(mine: Floats, others: Floats, options: Options) -> F64:
    """SW (b,) of sorted projections (t, L) and (b, u, L): the difference of their quantiles, integrated."""
    order = int(options["order"])
    left, right, shares = _pieces(len(mine), others.shape[1])
    largest, parts = _largest_and_shares(np.abs(others[:, right] - mine[left]))
    result: F64 = largest * np.einsum("bil,i->b", parts**order, shares / mine.shape[1]) ** (1 / order)
    return result


def _projections(width: int, options: Options) -> int:
    """As many numbers as a vector of this width has along all lines, if that is more."""
    tokens = width // int(options["token_dim"] or width)
    return max(width, tokens * int(options["n_projections"]))


def _pieces(t: int, u: int) -> tuple[Rows, Rows, F64]:
    """The pieces of [0, 1] on which the quantiles of t and of u values are constant: indexes, and lengths."""
    ends = np.union1d(np.arange(1, t + 1) * u, np.arange(1, u + 1) * t)
    starts = np.concatenate([[0], ends[:-1]])
    return starts // u, starts // t, (ends - starts) / (t * u)


MECHANISM = Mechanism(
    name="sliced_wasserstein",
    aliases=("sw", "ot"),
    family="transport",
    feature="attention",
    complexity="O(n L t (p + log t))",
    memory="O(n + t L)",
    best_for="multi-vector rows (token sets)",
    formula="a = softmax_j(-SW(Q, K_j) / temperature), SW^p the mean of |sort(Q) - sort(K_j)|^p along lines",
    reference="Rabin et al. 2011; Bonneel et al. 2015, Sliced and Radon Wasserstein Barycenters",
    operations=("attention_score", "mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("token_dim", int, None, Interval(1, 2**31 - 1), "Dimensions of one vector in a flat row."),
        Option("n_projections", int, 50, Interval(1, 65536), "Lines L."),
        Option("order", int, 2, Interval(1, 16), "Order p of the distance."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the lines."),
    ),
    scorer=SlicedScorer,
    weigh_sets=weigh,
    floats=_projections,
    flat=True,
)
