"""Mechanisms that know an order, once more: which keys a query of rank i sees, as the papers' loops read."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.positions import Order
from ruattn_fdw.kernels.registry import find
from twins import scaled_dot


def sample(n=100, d=24, seed=5):
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def shuffled_order(n, seed=6):
    """Positions in a shuffled order, and the row index of each rank."""
    values = np.random.RandomState(seed).permutation(n).astype(np.float64) * 10
    return Order(values, np.arange(n)), np.argsort(values)


def attend_at_rank(name, rank, n=100, **options):
    """Weights of the mechanism for a query at a rank, and (query, keys, row index of each rank)."""
    query, keys = sample(n)
    order, by_rank = shuffled_order(n)
    positions = order.at(10.0 * rank)
    assert positions.query_rank == rank
    weights = attend(find(name), query, keys, num_heads=2, options=options, positions=positions)
    return weights, query, keys, by_rank


def assert_sees(weights, query, keys, rows):
    """The keys at these row indexes share the weight as scaled_dot has it; all others are masked out."""
    rows = np.sort(np.asarray(rows, np.intp))
    expected = scaled_dot(query, keys[rows], num_heads=2)
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(weights.logit)), rows)
    np.testing.assert_allclose(weights.score[rows], expected.score, rtol=1e-5)
    np.testing.assert_allclose(weights.logit[rows], expected.logit, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weights.head_scores[:, rows], expected.head_scores, rtol=1e-5)
    np.testing.assert_allclose(weights.lse, expected.lse, rtol=1e-7)
    others = np.setdiff1d(np.arange(len(keys)), rows)
    assert (weights.score[others] == 0).all()
    assert (weights.head_scores[:, others] == 0).all()


def default_stride(n):
    return ceil(sqrt(n))
