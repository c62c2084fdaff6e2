"""Attention by diffusion (Kondor and Lafferty 2002; GRAND, Chamberlain et al. 2021): logits flow between
near keys.

x(t) = exp(-t L) x(0), with the logits of scaled_dot for x(0) and the Laplacian L of the graph of the keys,
whose edges weigh exp(-||k_i - k_j||^2 / (2 h^2)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import F32, F64, Checkpoint
from ..core.dot import dot_scorer
from ..errors import InvalidOption
from ..fits import LastFit
from ..limits import check_rows
from ..logits import exact_logits
from ..mechanism import Mechanism
from ..options import Interval, Option
from ..problem import Problem
from ..softmax import plain_softmax
from ..weights import Weights, settled

Flow = Callable[[F64, float], F64]
"""Logits (H, n) and a time t >= 0 -> logits (H, n) after it."""

_DENSE_ROWS, _SPARSE_ROWS = 1024, 4096
"""Rows at most where none are given: one factorisation of so many cannot be interrupted."""


_LONGEST = 1000.0
"""Time at most where the flow is followed step by step, which takes the longer the more time passes."""


def weigh(problem: Problem) -> Weights:
    """The softmax of the logits after the time t; the temperature divides them then, not before."""
    options = problem.options
    knn = options["knn"]
    most = options["max_rows"] or (_DENSE_ROWS if knn is None else _SPARSE_ROWS)
    check_rows(MECHANISM.name, problem.keys, int(most))
    if knn is not None and float(options["t"]) > _LONGEST:
        raise InvalidOption(
            f"t is {options['t']:g}, with knn at most {_LONGEST:g} is allowed",
            "By then what is connected is level; without knn any time will do.",
        )
    start = exact_logits(MECHANISM, replace(problem, temperature=1.0))
    fit = _DENSE if knn is None else _SPARSE
    flow = fit.of(
        problem.keys, options["bandwidth"], options["laplacian"], knn, checkpoint=problem.checkpoint
    )
    logits = flow(start, float(options["t"])) / problem.temperature
    problem.checkpoint()
    weights, lse = plain_softmax(logits)
    return settled(weights, logits, lse)


def _dense(keys: F32, bandwidth: float | None, laplacian: str, knn: None, checkpoint: Checkpoint) -> Flow:
    """Exactly, by the eigenvectors of the symmetric form of the Laplacian."""
    matrix, scale = _laplacian(_affinities(keys, bandwidth, checkpoint), laplacian)
    checkpoint()
    values, vectors = np.linalg.eigh(matrix)

    def flow(logits: F64, t: float) -> F64:
        result: F64 = ((logits * scale) @ vectors * np.exp(-t * values)) @ vectors.T / scale
        return result

    return flow


def _sparse(keys: F32, bandwidth: float | None, laplacian: str, knn: int, checkpoint: Checkpoint) -> Flow:
    """By the action of the exponential of a Laplacian that has edges between nearest keys only."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import expm_multiply

    affinities = _affinities(keys, bandwidth, checkpoint)
    near = np.argsort(-affinities, axis=1, kind="stable")[:, : min(knn, len(keys) - 1)]
    chosen = np.zeros(affinities.shape, bool)
    np.put_along_axis(chosen, near, True, axis=1)
    matrix, scale = _laplacian(np.where(chosen | chosen.T, affinities, 0), laplacian)
    sparse: Any = csr_array(matrix)
    checkpoint()
    return lambda logits, t: expm_multiply(-t * sparse, (logits * scale).T).T / scale


_DENSE, _SPARSE = LastFit(_dense), LastFit(_sparse)


def _affinities(keys: F32, bandwidth: float | None, checkpoint: Checkpoint) -> F64:
    """W (n, n) with 0 on the diagonal; the bandwidth is the median distance of two keys if left out."""
    wide = keys.astype(np.float64)
    squares = np.einsum("nd,nd->n", wide, wide)
    sums = squares[:, None] + squares
    distances = sums - 2 * wide @ wide.T
    distances = np.where(distances > 1e-14 * sums, distances, 0)
    checkpoint()
    width = _median(distances) if bandwidth is None else bandwidth * bandwidth
    affinities: F64 = np.exp(-distances / (2 * width)) if width > 0 else (distances == 0).astype(np.float64)
    np.fill_diagonal(affinities, 0)
    return affinities


def _median(distances: F64) -> float:
    """The median of the squared distances (n, n) of two keys; 0 for a key alone."""
    pairs = distances[np.triu_indices(len(distances), 1)]
    return float(np.median(pairs)) if len(pairs) else 0.0


def _laplacian(affinities: F64, form: str) -> tuple[F64, F64]:
    """A symmetric matrix M (n, n) and s (n,) with exp(-t L) x = exp(-t M) (s x) / s; 0 at lone keys."""
    degrees = affinities.sum(axis=1)
    if form == "unnormalized":
        return np.diag(degrees) - affinities, np.ones(len(degrees))
    alone = degrees == 0
    roots = np.sqrt(np.where(alone, 1, degrees))
    matrix = np.diag(np.where(alone, 0.0, 1.0)) - affinities / roots[:, None] / roots
    return matrix, roots if form == "random_walk" else np.ones(len(degrees))


MECHANISM = Mechanism(
    name="diffusion",
    aliases=("heat_kernel", "pde"),
    family="pde",
    feature="attention",
    complexity="O(n^2 d + n^3), O(n^2 d + T n knn) with knn",
    memory="O(n^2)",
    best_for="denoising scores over neighbours",
    formula="a = softmax(exp(-t L) s / temperature), s_j = <q, k_j> / sqrt(d), L the keys' graph Laplacian",
    reference="Kondor and Lafferty 2002; Chamberlain et al. 2021, GRAND",
    operations=("mha_search", "attention", "cross_attention", "sliding_attention"),
    parameters=(
        Option("t", float, 1.0, Interval(0), "How long logits flow."),
        Option(
            "bandwidth",
            float,
            None,
            Interval(0, low_open=True),
            "Distance h at which affinity fades; the median distance of two keys if left out.",
        ),
        Option(
            "laplacian",
            str,
            "random_walk",
            ("random_walk", "symmetric", "unnormalized"),
            "Form of the Laplacian: I - W/D, I - W/sqrt(DD), or D - W.",
        ),
        Option(
            "knn", int, None, Interval(1, 65536), "Nearest keys that a key has edges to; all if left out."
        ),
        Option(
            "max_rows",
            int,
            None,
            Interval(1, 2**31 - 1),
            "Rows at most; 1024, or 4096 with knn, if left out.",
        ),
    ),
    scope="SET",
    scorer=dot_scorer,
    weigh=weigh,
)
