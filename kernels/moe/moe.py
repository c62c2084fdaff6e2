"""Mixture of attention heads (Shazeer et al. 2017; Zhang et al. 2022): the experts are clusters of keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..arrays import F32, F64, Checkpoint, Rows
from ..core.dot import dot_scorer
from ..fits import LastFit
from ..keyset import KeySet
from ..kmeans import assign
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options, Problem
from ..trained import Tensors, Training, without
from ..weights import Weights, scattered, settled
from .gate import check_top_k, check_width, kmeans_gate, learned_gate, route

_COUNT = Interval(1, 4096)


@dataclass(frozen=True)
class Experts:
    """gate (E, d); owner (n,): the expert that each key belongs to. Every expert owns some key."""

    gate: F64
    owner: Rows

    def of(self, query: F64, options: Options) -> tuple[Rows, F64]:
        """The experts (k,) that the gate sends a query (d,) to, best first, and their shares (k,)."""
        chosen, shares = route(query[None], self.gate, int(options["top_k"]))
        return chosen[0], shares[0]


def _fit(keys: F32, num_experts: int, seed: int, checkpoint: Checkpoint) -> Experts:
    return _shared_out(keys, kmeans_gate(keys, num_experts, seed, checkpoint), checkpoint)


def _share_out(keys: F32, gate: bytes, checkpoint: Checkpoint) -> Experts:
    return _shared_out(keys, np.frombuffer(gate).reshape(-1, keys.shape[1]), checkpoint)


def _shared_out(keys: F32, gate: F64, checkpoint: Checkpoint) -> Experts:
    """Each key goes to the expert whose gate vector, times sqrt(d), is nearest."""
    owner = assign(keys, gate * np.sqrt(keys.shape[1]), checkpoint)
    used, owner = np.unique(owner, return_inverse=True)
    return Experts(gate[used], owner.reshape(-1))


_LAST_FIT, _LAST_SHARES = LastFit(_fit), LastFit(_share_out)


def experts_of(keys: F32 | KeySet, options: Options, checkpoint: Checkpoint) -> Experts:
    """The experts fitted to keys (n, d)."""
    num_experts = int(options["num_experts"])
    check_top_k(num_experts, int(options["top_k"]))
    return _LAST_FIT.of(keys, num_experts, int(options["seed"]), checkpoint=checkpoint)


ExpertsOf = Callable[[F32 | KeySet, Options, Checkpoint], Experts]
"""Keys (n, d), options -> their experts."""


def weigh(problem: Problem, experts_of: ExpertsOf = experts_of) -> Weights:
    """a_j = g_e softmax_j(s_j) over the keys j of expert e, for the experts that the gate sends the query to.

    The gate sees the whole query, each expert attends by heads. The logit is s_j.
    """
    experts = experts_of(problem.keyset, problem.options, problem.checkpoint)
    chosen, shares = experts.of(problem.query.reshape(-1), problem.options)
    rows = np.flatnonzero(np.isin(experts.owner, chosen))
    logits = exact_logits(MECHANISM, problem, rows)
    head_scores = np.empty_like(logits)
    for expert, share in zip(chosen, shares, strict=True):
        own = experts.owner[rows] == expert
        masses = np.exp(logits[:, own] - logits[:, own].max(axis=1, keepdims=True))
        head_scores[:, own] = share * masses / masses.sum(axis=1, keepdims=True)
    return scattered(settled(head_scores, logits), rows, len(problem.keys))


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """moe with the gate of a set."""
    gate = learned_gate(tensors)

    def experts(keys: F32 | KeySet, options: Options, checkpoint: Checkpoint) -> Experts:
        check_width(gate, keys)
        check_top_k(len(gate), int(options["top_k"]))
        return _LAST_SHARES.of(keys, gate.tobytes(), checkpoint=checkpoint)

    parameters = without(mechanism, "num_experts", "seed")
    return replace(
        mechanism, parameters=parameters, weigh=partial(weigh, experts_of=experts), experts=experts
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
    experts=experts_of,
    weights=lambda options: "kmeans",
    training=Training(("gate",), (), _bind),
)
