"""Sheaf attention (Hansen and Ghrist 2019; Bodnar et al. 2022): keys count by how little they contradict
the query.

Without weights the maps of a sheaf are one map, which whitens: the energy is then Mahalanobis' distance
squared.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..arrays import F32, F64, MAX32, Checkpoint, by_heads, spans
from ..components import components, mean_of
from ..fits import LastFit
from ..logits import check_range, overflow
from ..long_products import pieces, product
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Options, Problem
from ..projections import PROJECTIONS, projections_of
from ..softmax import plain_softmax
from ..trained import Tensors, Training
from ..weights import Weights, scattered, settled

_RIDGE = 1e-6
"""Added to the covariance, which has no inverse where there are fewer keys than dimensions."""


def weigh(problem: Problem) -> Weights:
    """The weights of keys whose energy over all heads is within the threshold; others are masked out."""
    energies = _energies(problem)
    threshold, n = problem.options["energy_threshold"], len(problem.keys)
    total = energies.sum(axis=0)
    rows = np.arange(n) if threshold is None else np.flatnonzero(total <= float(threshold))
    if not len(rows):
        nothing = np.zeros((len(energies), 0))
        return scattered(settled(nothing, nothing), rows, n)
    beta = problem.options["beta"]
    factor = 1 / (2 * math.sqrt(problem.query.shape[1])) if beta is None else float(beta)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = energies[:, rows] * (-factor / problem.temperature)
    check_range(problem, rows, logits)
    weights, lse = plain_softmax(logits)
    return scattered(settled(weights, logits, lse), rows, n)


def _energies(problem: Problem) -> F64:
    """||rho q - rho k||^2 (H, n) of the heads' slices; NumericOverflow beyond float32."""
    heads, query = len(problem.query), problem.query.reshape(-1)
    whitening = _whitening_of(problem)
    energies = np.empty((heads, len(problem.keys)))
    n, d = problem.keys.shape
    for span in spans(n, 8 * d) if whitening is None else pieces(n, whitening.size):
        apart = problem.keys[span] - query
        mapped = by_heads(apart if whitening is None else apart @ whitening, heads)
        np.add.reduce(mapped * mapped, axis=2, out=energies[:, span].T)
        problem.checkpoint()
    if not energies.max() <= MAX32:
        row = int(np.argmin((energies <= MAX32).all(axis=0)))
        raise overflow(f"the energy of query and row {row}", query, problem.keys[row], row=row)
    return energies


def _whitening_of(problem: Problem) -> F64 | None:
    """The map of all vectors, None for the identity."""
    if problem.options["maps"] == "identity":
        return None
    return _WHITENING.of(problem.keyset, checkpoint=problem.checkpoint)


def _whitening(keys: F32, checkpoint: Checkpoint) -> F64:
    """The inverse root (d, d) of the covariance of keys (n, d)."""
    mean = mean_of(keys, checkpoint)
    values, directions = components(keys, mean, checkpoint)
    plain = 1 / math.sqrt(_RIDGE)
    gains = 1 / np.sqrt(np.maximum(values, 0) / len(keys) + _RIDGE) - plain
    result = np.empty((len(mean), len(mean)))
    for span in pieces(len(mean), directions.size):
        np.matmul(directions[span] * gains, directions.T, out=result[span])
        checkpoint()
    result.flat[:: len(mean) + 1] += plain
    return result


_WHITENING = LastFit(_whitening)


def whitened(keys: F32, query_width: int, heads: int, options: Options, checkpoint: Checkpoint) -> F32:
    """The values (n, d) that keys stand for: rho k."""
    if options["maps"] == "identity":
        return keys
    whitening = _WHITENING.of(keys, checkpoint=checkpoint).astype(np.float32)
    return product(keys, whitening, checkpoint)


def _bind(mechanism: Mechanism, tensors: Tensors) -> Mechanism:
    """sheaf with learned maps: rho_q, rho_k and rho_v are what projects queries, keys and values."""
    maps, *others = mechanism.parameters
    parameters = (replace(maps, default="identity", range=("identity",)), *others)
    return replace(mechanism, parameters=parameters, projections=projections_of(tensors))


MECHANISM = Mechanism(
    name="sheaf",
    aliases=("sheaf_attention", "cgt"),
    family="topology",
    feature="graph",
    complexity="O(n d^2), O(n d) with identity maps",
    memory="O(n + d^2)",
    best_for="consistency-weighted context",
    formula="a = softmax_j(-beta ||rho (q - k_j)||^2 / temperature), rho the inverse root of the covariance",
    reference="Hansen and Ghrist 2019; Bodnar et al. 2022, Neural Sheaf Diffusion",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("maps", str, "whiten", ("whiten", "identity"), "What vectors are mapped by before they meet."),
        Option(
            "beta",
            float,
            None,
            Interval(0, low_open=True),
            "Factor of the energy; 1 / (2 sqrt(d)) if left out.",
        ),
        Option("energy_threshold", float, None, Interval(0), "Energy above which a key is masked out."),
    ),
    scope="SET",
    weigh=weigh,
    own_values=whitened,
    weights=lambda options: "whitening" if options["maps"] == "whiten" else "identity",
    training=Training((), PROJECTIONS, _bind),
)
