"""Attention with a fixed budget of information (Blahut 1972; Arimoto 1972; Tishby, Pereira and Bialek 1999).

Of all weights that are `rate` nats away from the prior, those with the largest mean logit: they are
proportional to prior * exp(beta * logit), and beta is found so that the rate comes out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..arrays import F64, Checkpoint, Rows
from ..core.dot import dot_scorer
from ..errors import InvalidOption, OutOfDomain
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option, column
from ..problem import Problem
from ..softmax import plain_softmax
from ..weights import Weights, scattered, settled

_SHARP = 800.0
"""exp(-800) is 0 in float64: with such a gap between logits all weight is on the largest."""


def weigh(problem: Problem) -> Weights:
    """The weights of all keys, head by head; keys that the prior excludes are masked out."""
    rate, beta = problem.options["rate"], problem.options["beta"]
    if rate is not None and beta is not None:
        raise InvalidOption(
            f"rate is {rate:g} and beta is {beta:g}", "Give one of them: the other follows from it."
        )
    rows, log_prior = _log_prior(problem)
    logits = exact_logits(MECHANISM, problem, rows)
    wanted = 0.5 * math.log(len(rows)) if rate is None else float(rate)
    tilts = [_solved(head, log_prior, wanted, beta, problem.checkpoint) for head in logits]
    betas, largest = np.array([[tilt.beta] for tilt in tilts]), logits.max(axis=1, keepdims=True)
    # less the largest logit, next to which a large beta would leave no digit of what sets them apart
    weights, lse = plain_softmax(betas * (logits - largest) + log_prior)
    lse += (betas * largest)[:, 0]
    problem.notes.update(
        KL=_shown([tilt.divergence for tilt in tilts]), Beta=_shown([tilt.beta for tilt in tilts])
    )
    return scattered(settled(weights, betas * logits + log_prior, lse), rows, len(problem.keys))


class Tilt(NamedTuple):
    """Weights proportional to prior * exp(beta * logit), and their divergence from the prior in nats."""

    beta: float
    divergence: float


def _log_prior(problem: Problem) -> tuple[Rows, F64]:
    """The rows with a prior above 0, and its logarithm there, the prior having the sum 1."""
    prior = problem.columns.get("prior", np.ones(len(problem.keys)))
    if (prior < 0).any():
        row = int(np.argmax(prior < 0))
        raise OutOfDomain(f"has the prior {prior[row]:g}", "A prior is at least 0.", None, row)
    rows = np.flatnonzero(prior)
    if not len(rows):
        raise InvalidOption("the prior is 0 for every row", "At least one row must have a prior above 0.")
    logs = np.log(prior[rows])
    return rows, logs - plain_softmax(logs)[1]


def _solved(logits: F64, log_prior: F64, rate: float, beta: float | None, checkpoint: Checkpoint) -> Tilt:
    """The tilt of one head's logits (n,): with this beta, else with the divergence nearest to the rate."""
    centred = logits - logits.max()
    if beta is not None:
        return _tilt(centred, log_prior, float(beta))
    below = centred[centred < 0]
    if not len(below):
        return _tilt(centred, log_prior, 1.0)
    low, high = 0.0, _SHARP / -float(below.max())
    sharpest = _tilt(centred, log_prior, high)
    if sharpest.divergence <= rate:
        return sharpest
    high = min(high, 1 / -float(below.min()))
    while _tilt(centred, log_prior, high).divergence < rate:
        low, high = high, 2 * high
        checkpoint()
    while high - low > 1e-15 * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        checkpoint()
        low, high = (middle, high) if _tilt(centred, log_prior, middle).divergence < rate else (low, middle)
    return _tilt(centred, log_prior, low)


def _tilt(logits: F64, log_prior: F64, beta: float) -> Tilt:
    weights, lse = plain_softmax(beta * logits + log_prior)
    return Tilt(beta, max(0.0, beta * float(weights @ logits) - float(lse)))


def _shown(numbers: list[float]) -> object:
    """One number, or the numbers of several heads as a text."""
    return numbers[0] if len(numbers) == 1 else ", ".join(f"{number:.6g}" for number in numbers)


MECHANISM = Mechanism(
    name="information_bottleneck",
    aliases=("ib", "rate_constrained", "perplexity"),
    family="information",
    feature="attention",
    complexity="O(n d + n T)",
    memory="O(n)",
    best_for="fixed information budget",
    formula="a_j = prior_j exp(beta s_j) / Z, beta such that KL(a || prior) = rate, s_j = <q, k_j> / sqrt(d)",
    reference="Blahut 1972; Arimoto 1972; Tishby, Pereira and Bialek 1999, The Information Bottleneck Method",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option(
            "rate",
            float,
            None,
            Interval(0),
            "Nats that the weights are away from the prior; half the logarithm of the rows if left out.",
        ),
        Option("beta", float, None, Interval(0), "Inverse temperature, in place of a rate."),
        column("prior", "Column of the rows' prior weights; all alike if left out."),
    ),
    scope="SET",
    scorer=dot_scorer,
    weigh=weigh,
)
