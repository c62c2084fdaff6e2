"""Sinkhorn attention (Cuturi 2013; Sander et al. 2022): weights whose rows and columns are both balanced.

P = diag(u) exp(S / epsilon) diag(v) with rows of the sum 1/m and columns of the sum 1/n, or as a column of
the keys says; the weight is m P. With one query the columns leave no choice.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import F64, MAX32
from ..errors import InvalidOption, NotConverged, OutOfDomain
from ..logits import overflow
from ..mechanism import Mechanism
from ..options import Interval, Option, column
from ..problem import BatchProblem
from ..projections import LAYER
from ..weights import BatchWeights


def weigh_batch(problem: BatchProblem) -> BatchWeights:
    """The weights of all queries at once, head by head, in logarithms."""
    m, heads, width = problem.queries.shape
    if m < 2:
        raise InvalidOption(
            "sinkhorn needs at least 2 queries, there is 1",
            "Columns are balanced over queries: take cross_attention, or attention with query_table, over "
            "several of them.",
        )
    marginal = _marginal(problem)
    keys = problem.keys.astype(np.float64).reshape(len(problem.keys), heads, width)
    logits = np.matmul(problem.queries.transpose(1, 0, 2), keys.transpose(1, 2, 0)) / math.sqrt(width)
    _check_range(logits, problem)
    weights = np.stack([_balanced(head, marginal, problem) for head in logits])
    return BatchWeights(weights, logits.mean(axis=0).astype(np.float32))


def _marginal(problem: BatchProblem) -> F64:
    """What the columns (n,) sum to, 1 in all."""
    given = problem.columns.get("column_marginal", np.ones(len(problem.keys)))
    if not (given > 0).all():
        row = int(np.argmax(~(given > 0)))
        raise OutOfDomain(f"has the marginal {given[row]:g}", "A marginal is more than 0.", None, row)
    shares = given / given.max()
    result: F64 = shares / shares.sum()
    return result


def _check_range(logits: F64, problem: BatchProblem) -> None:
    """Raise NumericOverflow if float32 cannot hold the logits (H, m, n), or what epsilon makes of them."""
    held = (np.abs(logits) <= MAX32 * min(1.0, float(problem.options["epsilon"]))).all(axis=0)
    if not held.all():
        query, row = np.unravel_index(int(np.argmin(held)), held.shape)
        what = f"the logit of query {query} and row {row}"
        raise overflow(what, problem.queries[query], problem.keys[row], row=int(row))


def _balanced(logits: F64, marginal: F64, problem: BatchProblem) -> F64:
    """m P (m, n) of logits (m, n); rows sum to 1 exactly, columns to m * marginal within the tolerance."""
    options = problem.options
    scaled = logits / float(options["epsilon"])
    rows, target = np.zeros(len(scaled)), np.log(marginal * len(scaled))
    for _ in range(int(options["max_iter"])):
        columns = target - _lse(scaled + rows[:, None], axis=0)
        problem.checkpoint()
        rows = -_lse(scaled + columns, axis=1)
        weights: F64 = np.exp(scaled + rows[:, None] + columns)
        off = float(np.abs(weights.sum(axis=0) / len(scaled) - marginal).sum())
        if off <= float(options["tol"]):
            return weights
        problem.checkpoint()
    raise NotConverged(
        f"sinkhorn is not balanced after {options['max_iter']} iterations: columns are off by {off:.3g}, "
        f"tol is {options['tol']:g}",
        "Raise epsilon, max_iter or tol in options.",
    )


def _lse(table: F64, axis: int) -> F64:
    """The log-sum-exp of a table (m, n) along an axis."""
    largest = table.max(axis=axis, keepdims=True)
    result: F64 = (largest + np.log(np.exp(table - largest).sum(axis=axis, keepdims=True))).squeeze(axis)
    return result


MECHANISM = Mechanism(
    name="sinkhorn",
    aliases=("sinkformer", "doubly_stochastic"),
    family="transport",
    feature="attention",
    complexity="O(m n (d + T)) for m queries",
    memory="O(m n)",
    best_for="balanced matching of two tables",
    formula="a_ij = m P_ij, P = diag(u) exp(S / epsilon) diag(v), S_ij = <q_i, k_j> / sqrt(d)",
    reference="Cuturi 2013, Sinkhorn Distances; Sander et al. 2022, Sinkformers",
    operations=("attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option(
            "epsilon",
            float,
            1.0,
            Interval(0, low_open=True),
            "Divides the logits.",
        ),
        Option("max_iter", int, 1000, Interval(1, 2**31 - 1), "Rounds of balancing at most."),
        Option("tol", float, 1e-9, Interval(0), "How far the columns may be off, all together."),
        column("column_marginal", "Column of the keys' shares; all alike if left out."),
    ),
    scope="BATCH",
    temperature=None,
    weigh_batch=weigh_batch,
    training=LAYER,
)
