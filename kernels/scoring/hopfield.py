"""Modern Hopfield network (Ramsauer et al. 2021): attention that is repeated until the query is a memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import F32, F64, Checkpoint, by_heads, head_dots, spans
from ..core.dot import DotScorer
from ..errors import NumericOverflow
from ..fits import LastFit
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options, Problem
from ..softmax import plain_softmax
from ..weights import Weights, settled

_MEAN_LOGIT = 20.0
"""What beta times the mean square of the keys' lengths is where beta is left out."""


def weigh(problem: Problem) -> Weights:
    """The weights that made the last state, each head being a memory of its own."""
    betas = _betas(problem)
    scaled = replace(problem, options={**problem.options, "beta": 1.0})
    state, steps = problem.query, 1
    limit = int(problem.options["max_steps"])
    while steps < limit:
        following = _following(scaled, state * betas)
        if np.linalg.norm(following - state) < float(problem.options["tol"]):
            break
        state, steps = following, steps + 1
    logits = exact_logits(MECHANISM, replace(scaled, query=state * betas))
    weights, lse = plain_softmax(logits)
    problem.notes["Steps"] = steps
    return settled(weights, logits, lse)


def _betas(problem: Problem) -> F64:
    """beta (H, 1) of each head."""
    heads = len(problem.query)
    if problem.options["beta"] is not None:
        return np.full((heads, 1), float(problem.options["beta"]))
    squares = _MEAN_SQUARES.of(problem.keyset, heads, checkpoint=problem.checkpoint)
    return np.where(squares > 0, _MEAN_LOGIT / np.where(squares > 0, squares, 1), 1)[:, None]


def _mean_squares(keys: F32, heads: int, checkpoint: Checkpoint) -> F64:
    """The mean square (H,) of the lengths of the keys' slices."""
    total = np.zeros(heads)
    for span in spans(len(keys), 8 * keys.shape[1]):
        slices = by_heads(keys[span].astype(np.float64), heads)
        total += np.einsum("nhw,nhw->h", slices, slices)
        checkpoint()
    return total / len(keys)


_MEAN_SQUARES = LastFit(_mean_squares)


def _following(problem: Problem, scaled_state: F64) -> F64:
    """The next state (H, w): the mean of the keys by weight."""
    keys, heads = problem.keys, len(scaled_state)
    logits = np.empty((heads, len(keys)))
    for span in spans(len(keys), 8 * keys.shape[1]):
        head_dots(scaled_state / problem.temperature, keys[span].astype(np.float64), logits[:, span])
        problem.checkpoint()
    if not np.isfinite(logits).all():
        raise NumericOverflow("beta times the logit overflows", "Scale the vectors, or give a smaller beta.")
    weights, _ = plain_softmax(logits)
    state = np.zeros_like(scaled_state)
    for span in spans(len(keys), 8 * keys.shape[1]):
        slices = by_heads(keys[span].astype(np.float64), heads).transpose(1, 0, 2)
        state += np.matmul(weights[:, None, span], slices)[:, 0]
        problem.checkpoint()
    return state


def _scorer(query: F64, temperature: float, options: Options, dtype: type) -> DotScorer:
    return DotScorer(query, 1 / temperature, dtype)


MECHANISM = Mechanism(
    name="hopfield",
    aliases=("modern_hopfield", "associative_memory"),
    family="scoring",
    feature="attention",
    complexity="O(T n d)",
    memory="O(n)",
    best_for="pattern completion",
    formula="xi_0 = q, a_t = softmax(beta K xi_t / temperature), xi_{t+1} = K^T a_t until it rests",
    reference="Ramsauer et al. 2021, Hopfield Networks is All You Need",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option(
            "beta",
            float,
            None,
            Interval(0, low_open=True),
            "Inverse temperature; 20 over the mean square of the keys' lengths if left out.",
        ),
        Option("tol", float, 1e-6, Interval(0, low_open=True), "A state that moves by less is at rest."),
        Option("max_steps", int, 32, Interval(1, 10_000), "Steps at most."),
    ),
    scope="SET",
    scorer=_scorer,
    weigh=weigh,
)
