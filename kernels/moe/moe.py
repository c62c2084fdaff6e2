"""Mixture of attention heads (Shazeer et al. 2017; Zhang et al. 2022): the experts are clusters of keys."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows
from ..core.dot import dot_scorer
from ..errors import InvalidOption, NumericOverflow
from ..logits import Exact, overflow
from ..mechanism import Mechanism, Problem
from ..options import Interval, Option
from ..weights import Weights, scattered
from .gate import check_top_k, kmeans_gate, route
from .kmeans import assign

_COUNT = Interval(1, 4096)


@dataclass(frozen=True)
class Experts:
    """gate (E, d); owner (n,): the expert that each key belongs to. Every expert owns some key."""

    gate: F64
    owner: Rows


class LastFit:
    """The experts last fitted, kept for as long as the same array of keys is asked for."""

    def __init__(self) -> None:
        self._keys: Callable[[], F32 | None] = lambda: None
        self._settings: tuple[int, int] | None = None
        self._experts: Experts | None = None

    def experts(self, keys: F32, num_experts: int, seed: int, checkpoint: Checkpoint) -> Experts:
        """The experts of keys (n, d), n >= 1."""
        if self._keys() is not keys or self._settings != (num_experts, seed) or self._experts is None:
            self._experts = _fit(keys, num_experts, seed, checkpoint)
            self._keys, self._settings = weakref.ref(keys), (num_experts, seed)
        return self._experts


def _fit(keys: F32, num_experts: int, seed: int, checkpoint: Checkpoint) -> Experts:
    gate = kmeans_gate(keys, num_experts, seed, checkpoint)
    owner = assign(keys, gate * np.sqrt(keys.shape[1]), checkpoint)
    used, owner = np.unique(owner, return_inverse=True)
    return Experts(gate[used], owner.reshape(-1))


_LAST_FIT = LastFit()


def weigh(problem: Problem) -> Weights:
    """a_j = g_e softmax_j(s_j) over the keys j of expert e, for the experts that the gate sends the query to.

    The gate sees the whole query, each expert attends by heads. The logit is s_j.
    """
    num_experts, top_k = int(problem.options["num_experts"]), int(problem.options["top_k"])
    check_top_k(num_experts, top_k)
    if problem.normaliser is not None:
        raise InvalidOption(
            "moe takes no normaliser",
            "Its scores come from several softmaxes, so that no one log-sum-exp normalises them.",
        )
    experts = _LAST_FIT.experts(problem.keys, num_experts, int(problem.options["seed"]), problem.checkpoint)
    chosen, shares = route(problem.query.reshape(1, -1), experts.gate, top_k)
    rows = np.flatnonzero(np.isin(experts.owner, chosen[0]))
    logits = _logits(problem, rows)
    head_scores = np.empty_like(logits)
    for expert, share in zip(chosen[0], shares[0], strict=True):
        own = experts.owner[rows] == expert
        masses = np.exp(logits[:, own] - logits[:, own].max(axis=1, keepdims=True))
        head_scores[:, own] = share * masses / masses.sum(axis=1, keepdims=True)
    score = head_scores.mean(axis=0).astype(np.float32)
    logit = logits.mean(axis=0).astype(np.float32)
    part = Weights(score, logit, head_scores.astype(np.float32), None)
    return scattered(part, rows, len(problem.keys))


def _logits(problem: Problem, rows: Rows) -> F64:
    """Logits (H, c) of keys at these indexes, in float64; NumericOverflow beyond float32."""
    scorer = dot_scorer(problem.query, problem.temperature, {}, np.float64)
    logits = Exact(scorer, problem.keys, len(problem.query), problem.checkpoint)(rows)
    if not (np.abs(logits) <= np.finfo(np.float32).max).all():
        row = int(rows[np.argmax(np.abs(logits).max(axis=0))])
        raise _too_large(problem, row)
    return logits


def _too_large(problem: Problem, row: int) -> NumericOverflow:
    return overflow(
        f"the logit of query and row {row}", problem.query.reshape(-1), problem.keys[row], row=row
    )


MECHANISM = Mechanism(
    name="moe",
    aliases=("mixture_of_experts", "moa"),
    family="moe",
    feature="moe",
    complexity="O(C d + k n d / C) once the experts are fitted",
    memory="O(n)",
    best_for="conditional computation, routing",
    formula="a_j = g_e softmax_j(<q, k_j> / (sqrt(d) temperature)) over the keys of expert e, g the gate",
    reference="Shazeer et al. 2017; Zhang et al. 2022, Mixture of Attention Heads",
    operations=("mha_search", "attention", "moe_route"),
    parameters=(
        Option("num_experts", int, 8, _COUNT, "Experts: clusters of the keys by k-means."),
        Option("top_k", int, 2, _COUNT, "Experts that a query goes to."),
        Option("seed", int, 0, Interval(0, 2**31 - 1), "Seed of the clusters' starts."),
    ),
    weight_kind="D0",
    scope="SET",
    scorer=dot_scorer,
    weigh=weigh,
)
