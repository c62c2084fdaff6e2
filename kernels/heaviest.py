"""The keys of the largest logits, exactly, from float32 logits and the bound on their rounding."""

from __future__ import annotations

import numpy as np

from .arrays import Rows
from .logits import Scorers, exact_logits, score_keys
from .mechanism import Mechanism
from .problem import Problem
from .weights import Bools


def heaviest(mechanism: Mechanism, problem: Problem, k: int) -> Rows:
    """Indexes of the k keys of the largest logit, the mean over the heads, or of all; ties by id."""
    n, heads = len(problem.keys), len(problem.query)
    if k >= n:
        return np.arange(n)
    with np.errstate(all="ignore"):
        scorers = Scorers(mechanism, problem, np.float32)
        query = problem.query.reshape(-1)
        logits, slack = score_keys(scorers, query, problem.keyset, None, heads, problem.checkpoint)
    mean = logits.mean(axis=0, dtype=np.float64)
    cut = np.partition(mean - slack, n - k)[n - k]
    candidates = np.flatnonzero(mean + slack >= cut)
    exact = exact_logits(mechanism, problem, candidates).mean(axis=0)
    best: Rows = candidates[np.lexsort((problem.ids[candidates], -exact))[:k]]
    return best


def mask(rows: Rows, n: int) -> Bools:
    """Which of n keys are at these indexes."""
    chosen = np.zeros(n, bool)
    chosen[rows] = True
    return chosen
