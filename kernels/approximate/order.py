"""Whether exact logits settle the order of rows by scores whose normalisers are known within bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import F64
from ..native import rank
from ..softmax import State
from .estimate import TooManyError

_CLOSE = 1e-11
"""Relative rounding of keys of ranking in float64, with room."""


@dataclass(frozen=True)
class Softmax:
    """The softmax over all keys, the log-sum-exp (H,) of which is off by at most `off` (H,)."""

    state: State
    off: F64


def least_of_best(exact: F64, softmax: Softmax, k: int) -> float:
    """The least that the logarithm of the k-th best score can be, given logits (H, c) of c >= k rows."""
    shift = np.log(softmax.state.total) + softmax.off
    logs = exact - softmax.state.maximum[:, None] - shift[:, None]
    largest = logs.max(axis=0)
    scores = largest + np.log(np.exp(logs - largest).sum(axis=0) / len(logs))
    least = float(np.partition(scores, len(scores) - k)[len(scores) - k])
    return least - _CLOSE * (abs(least) + 1)


def settle_order(exact: F64, softmax: Softmax, k: int) -> None:
    """Raise TooManyError unless the order of the first k rows by exact logits (H, c) is certain."""
    if len(exact) == 1:
        return
    doubt = np.expm1(softmax.off + _CLOSE)[None]
    maximum, total = np.asarray(softmax.state.maximum, np.float64)[None], softmax.state.total[None]
    if not rank.settled(exact, maximum, total, doubt, k):
        raise TooManyError("scores closer than the normalisers of the heads are known")
