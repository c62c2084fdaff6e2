"""Inputs that several tests draw, and a check that several kernels must pass."""

from __future__ import annotations

import numpy as np


def sample(n=63, d=60, seed=0):
    """A query (d,) and keys (n, d) of normal numbers."""
    random = np.random.RandomState(seed)
    return random.standard_normal(d).astype(np.float32), random.standard_normal((n, d)).astype(np.float32)


def assert_rounding_is_bounded(scorer_for, heads, keys):
    """float32 logits are off by no more than the scorer's bound; scorer_for: dtype -> scorer."""
    logits = {}
    for dtype in (np.float64, np.float32):
        scorer = scorer_for(dtype)
        logits[dtype] = np.empty((heads, len(keys)), dtype)
        scorer.logits(keys.astype(dtype), logits[dtype])
    error = np.abs(logits[np.float32] - logits[np.float64]).max(axis=0)
    assert (error <= scorer.rounding(keys)).all()
