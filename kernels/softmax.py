"""The softmax, in a form that can be merged: maximum, sum and, where values are given, output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .arrays import F64, Checkpoint, Floats, spans
from .native import rank


class State(NamedTuple):
    """Softmax over some of the keys, each field with one entry per query or head.

    maximum: largest logit, -inf over no keys. total: sum of exp(logit - maximum), float64. output: the sum of
    exp(logit - maximum) * value, with the width of the values as last axis; None where there are no values.
    """

    maximum: Floats
    total: F64
    output: Floats | None = None

    @property
    def lse(self) -> F64:
        """Log-sum-exp of the logits, float64; -inf over no keys."""
        with np.errstate(divide="ignore"):
            result: F64 = self.maximum.astype(np.float64) + np.log(self.total)
        return result

    def weights(self, logits: Floats) -> Floats:
        """The weights of logits (H, n). Maximum and sum stay apart: their log-sum-exp may absorb the sum."""
        result: Floats = np.exp(logits - self.maximum[:, None]) / self.total[:, None]
        return result


def state_of(logits: F64) -> State:
    """The softmax over float64 logits (H, n), n >= 1."""
    return state_and_reach(logits)[0]


def state_and_reach(logits: F64) -> tuple[State, float]:
    """The same with the largest magnitude of a logit, NaN where one is."""
    maximum, total = np.empty((2, 1, len(logits)))
    reach = rank.state(logits, maximum, total)
    return State(maximum[0], total[0]), reach


def given_state(normaliser: F64) -> State:
    """What a log-sum-exp (H,) given in place of that over the keys stands for."""
    return State(normaliser, np.ones(len(normaliser)))


def merge(a: State, b: State) -> State:
    """The state over the keys of both, exactly (Milakov & Gimelshein 2018). Associative and commutative."""
    maximum = np.maximum(a.maximum, b.maximum)
    shift_a, shift_b = _shift(a.maximum, maximum), _shift(b.maximum, maximum)
    total = a.total * shift_a + b.total * shift_b
    if a.output is None or b.output is None:
        return State(maximum, total)
    return State(maximum, total, a.output * shift_a[..., None] + b.output * shift_b[..., None])


def _shift(old: Floats, new: Floats) -> Floats:
    """exp(old - new), and 0 for a state over no keys."""
    empty = np.isneginf(old)
    result: Floats = np.exp(np.where(empty, -np.inf, old - np.where(empty, 0, new)))
    return result


def plain_softmax(logits: F64) -> tuple[F64, F64]:
    """The softmax (..., n) of float64 logits (..., n) along the last axis, and their log-sum-exp (...)."""
    maximum = logits.max(axis=-1, keepdims=True)
    weights = np.exp(logits - maximum)
    total = weights.sum(axis=-1, keepdims=True)
    weights /= total
    return weights, (maximum + np.log(total))[..., 0]


def exponentials(logits: Floats, out: Floats, options: Mapping[str, object], checkpoint: Checkpoint) -> State:
    """Write exp(logits - maximum) of logits (H, n), n >= 1, into out (H, n); returns maximum and sum."""
    maximum = logits.max(axis=1)
    total = np.zeros(len(logits), np.float64)
    for span in spans(logits.shape[1], len(logits) * logits.itemsize):
        part = out[:, span]
        np.subtract(logits[:, span], maximum[:, None], out=part)
        np.exp(part, out=part)
        total += part.sum(axis=1, dtype=np.float64)
        checkpoint()
    return State(maximum, total)


def settle(state: State, weights: Floats, exact: F64) -> State:
    """The state corrected by exact logits of the heaviest keys, which carry most of its rounding error.

    state (H,): from float32 logits. weights (H, c): weights of those keys under it. exact (H, c): their
    float64 logits. What weight remains is taken as it is.
    """
    maximum = np.maximum(state.maximum, exact.max(axis=1))
    rest = 1 - weights.sum(axis=1, dtype=np.float64)
    heavy = np.exp(exact - maximum[:, None]).sum(axis=1)
    return State(maximum, heavy + rest * state.total * np.exp(state.maximum - maximum))
