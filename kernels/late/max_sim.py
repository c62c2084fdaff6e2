"""Late interaction: the sum of each query vector's best match in a row (Khattab & Zaharia 2020, ColBERT)."""

from __future__ import annotations

import numpy as np

from ..arrays import EPS32, F32, F64, TINY32, Floats, Rows
from ..attend import weigh_logits
from ..core.dot import DotScorer
from ..logits import overflow
from ..mechanism import Mechanism, Scorer
from ..options import Option
from ..problem import Options
from ..scoring.cosine import CosineScorer, unit_vectors
from ..sets import SetProblem, VectorSets
from ..weights import Weights


def weigh(problem: SetProblem) -> Weights:
    """The weights of all rows: softmax over the rows of sum_i max_l <q_i, k_jl> / temperature."""
    with np.errstate(all="ignore"):
        logits, slack = _score_rows(problem)
        exact = _Exact(problem)
        return weigh_logits(
            MECHANISM,
            problem.options,
            logits,
            slack,
            None,
            exact,
            problem.normaliser,
            problem.checkpoint,
        )


class _Exact:
    """Logits (1, len(rows)) of chosen rows in float64."""

    def __init__(self, problem: SetProblem) -> None:
        self._problem = problem
        self._queries = _prepared(problem)

    def __call__(self, rows: Rows) -> F64:
        """Indexes of rows (c,) -> (1, c)."""
        out = np.empty((1, len(rows)))
        for start in range(0, len(rows), 64):
            part = slice(start, start + 64)
            for span, block in self._problem.sets.take(rows[part]).blocks():
                vectors = _keys(block.vectors.astype(np.float64), self._problem.options)
                out[0, part][span] = _sums_of_best(self._products(vectors), block.bounds)
                self._problem.checkpoint()
        return out

    def _products(self, vectors: Floats) -> F64:
        """Each sum in one fixed order, unlike BLAS: equal rows get equal logits."""
        products = np.empty((len(vectors), len(self._queries)))
        for place, query in enumerate(self._queries):
            np.add.reduce(vectors * query, axis=1, out=products[:, place])
        return products


def _score_rows(problem: SetProblem) -> tuple[F32, F32]:
    """Logits (1, n) in float32, and the bound (n,) on their rounding."""
    queries = _prepared(problem)
    narrow = np.ascontiguousarray(queries.T.astype(np.float32))
    length = float(np.sqrt((queries * queries).sum(axis=1)).sum())
    logits = np.empty((1, len(problem.sets)), np.float32)
    slack = np.empty(len(problem.sets), np.float32)
    for span, block in problem.sets.blocks():
        keys = _keys(block.vectors, problem.options)
        logits[0, span] = _sums_of_best(keys @ narrow, block.bounds)
        if not np.isfinite(logits[0, span]).all():
            row = span.start + int(np.flatnonzero(~np.isfinite(logits[0, span]))[0])
            raise overflow(
                f"the logit of queries and row {row}", problem.queries, _set(problem.sets, row), row=row
            )
        slack[span] = _rounding(keys, block.bounds, length, bool(problem.options["cosine"]))
        problem.checkpoint()
    return logits, slack


def _prepared(problem: SetProblem) -> Floats:
    """The query vectors (t, p), made unit length for cosines, over the temperature, in float64."""
    return _keys(problem.queries, problem.options) / problem.temperature


def _keys(vectors: Floats, options: Options) -> Floats:
    return unit_vectors(vectors) if options["cosine"] else vectors


def _sums_of_best(products: Floats, bounds: Rows) -> F64:
    """The best of each set for each query, summed (n,), from products (T, t) of vectors and queries."""
    best = np.maximum.reduceat(products, bounds[:-1], axis=0)
    sums: F64 = best.sum(axis=1, dtype=np.float64)
    return sums


def _rounding(keys: F32, bounds: Rows, length: float, cosine: bool) -> Floats:
    """A bound on the rounding error of each row's logit; `length` is the sum of the queries' lengths.

    Of every product |error| <= terms * u * ||q|| ||k|| (Higham, ASNA section 3.1), and the largest of several
    is off by no more than the one that is off most. Unit keys have a rounding of their own.
    """
    terms = keys.shape[1] * (2 if cosine else 1) + 8
    squares = np.matmul(keys[:, None, :], keys[:, :, None])[:, 0, 0]
    norms = np.sqrt(np.maximum.reduceat(squares, bounds[:-1]) + np.float32(keys.shape[1] * TINY32))
    bound: Floats = norms * np.float32(np.clip(terms * EPS32 * length, TINY32, 3e38))
    return bound


def _set(sets: VectorSets, row: int) -> F32:
    return sets.vectors[sets.bounds[row] : sets.bounds[row + 1]]


def single_vectors(query: F64, temperature: float, options: Options, dtype: type) -> Scorer:
    """The scorer of sets of one vector each: there the best match is the only one."""
    if options["cosine"]:
        return CosineScorer(query, temperature, dtype)
    return DotScorer(query, 1 / temperature, dtype)


MECHANISM = Mechanism(
    name="max_sim",
    aliases=("maxsim", "late_interaction", "colbert"),
    family="late_interaction",
    feature="attention",
    complexity="O(T t p)",
    memory="O(n)",
    best_for="several vectors in each row, such as one for each token",
    formula="a = softmax_j(sum_i max_l <q_i, k_jl> / temperature), q_i the queries, k_jl vectors of row j",
    reference="Khattab and Zaharia 2020, ColBERT",
    operations=("mha_search",),
    parameters=(
        Option("cosine", bool, False, None, "Compares directions: every vector is made unit length."),
    ),
    scorer=single_vectors,
    weigh_sets=weigh,
)
